/** What the checks need of `docker compose config --format json`. */
import { z } from 'zod';
import { isChecked } from '../staging/check-compose.js';

export interface ComposeFacts {
  services: readonly ServiceFacts[];
}

export interface ServiceFacts {
  name: string;
  image?: string;
  /** Another service waits for its end: it is not meant to stay. */
  isOneShot: boolean;
  /** It has a healthcheck in the compose files; times in ms, as Docker defaults them. */
  healthcheck?: { intervalMs: number; retries: number; startPeriodMs: number; startIntervalMs?: number };
  /** Docker starts it again after a crash or a restart of the droplet. */
  restarts: boolean;
  published: readonly PublishedPort[];
  /** Its ports are the droplet's. */
  isHostNetwork: boolean;
  mountsDockerSocket: boolean;
}

export interface PublishedPort {
  port: number;
  /** Only the droplet itself can connect. */
  isLoopback: boolean;
}

const duration = z.union([z.string(), z.number()]).nullish();

const service = z.object({
  image: z.string().nullish(),
  restart: z.string().nullish(),
  network_mode: z.string().nullish(),
  healthcheck: z
    .object({
      disable: z.boolean().optional(),
      test: z.array(z.string()).nullish(),
      interval: duration,
      start_period: duration,
      start_interval: duration,
      retries: z.number().nullish(),
    })
    .nullish(),
  ports: z
    .array(
      z.object({
        published: z.union([z.string(), z.number()]).nullish(),
        host_ip: z.string().nullish(),
        protocol: z.string().nullish(),
      }),
    )
    .nullish(),
  volumes: z.array(z.object({ type: z.string(), source: z.string().nullish() })).nullish(),
  depends_on: z.record(z.string(), z.object({ condition: z.string().optional() })).nullish(),
  deploy: z.object({ restart_policy: z.object({ condition: z.string().nullish() }).nullish() }).nullish(),
});

const project = z.object({ services: z.record(z.string(), service) });

type Service = z.infer<typeof service>;

/** Docker's defaults: https://docs.docker.com/reference/dockerfile/#healthcheck */
const DEFAULT_INTERVAL_MS = 30_000;
const DEFAULT_RETRIES = 3;

/** Undefined for what is no such answer. */
export function readComposeFacts(config: string): ComposeFacts | undefined {
  let services: z.infer<typeof project>['services'];
  try {
    services = project.parse(JSON.parse(config)).services;
  } catch {
    return undefined;
  }
  const awaited = new Set(
    Object.values(services).flatMap(({ depends_on: others }) =>
      Object.entries(others ?? {}).flatMap(([name, { condition }]) =>
        condition === 'service_completed_successfully' ? name : [],
      ),
    ),
  );
  return { services: Object.entries(services).map(([name, one]) => factsOf(name, one, awaited.has(name))) };
}

function factsOf(name: string, one: Service, isOneShot: boolean): ServiceFacts {
  const { image, healthcheck, restart, deploy } = one;
  const policy = deploy?.restart_policy;
  return {
    name,
    ...(image && { image }),
    isOneShot,
    ...(isChecked(healthcheck) && { healthcheck: timesOf(healthcheck) }),
    restarts: restart ? restart !== 'no' : policy != null && policy.condition !== 'none',
    published: (one.ports ?? []).flatMap(({ published, host_ip: address, protocol }) => {
      const port = Number(published ?? Number.NaN);
      if (!Number.isInteger(port) || (protocol ?? 'tcp') !== 'tcp') return [];
      return [{ port, isLoopback: /^(127\.|::1$|localhost$)/.test(address ?? '') }];
    }),
    isHostNetwork: one.network_mode === 'host',
    mountsDockerSocket: (one.volumes ?? []).some(
      ({ type, source }) => type === 'bind' && /^(\/var)?\/run\/docker\.sock$/.test(source ?? ''),
    ),
  };
}

function timesOf(check: Service['healthcheck']): NonNullable<ServiceFacts['healthcheck']> {
  const startIntervalMs = milliseconds(check?.start_interval);
  return {
    intervalMs: milliseconds(check?.interval) || DEFAULT_INTERVAL_MS,
    retries: check?.retries || DEFAULT_RETRIES,
    startPeriodMs: milliseconds(check?.start_period) ?? 0,
    ...(startIntervalMs && { startIntervalMs }),
  };
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Of `1m30s`, as Go prints it; as a number it is in nanoseconds. */
function milliseconds(written: string | number | null | undefined): number | undefined {
  if (written == null) return undefined;
  if (typeof written === 'number') return written / 1_000_000;
  const parts = [...written.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  return parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNITS[unit] ?? 0), 0);
}
