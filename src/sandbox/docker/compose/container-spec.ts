import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import type { ContainerSpec, Mount, RestartPolicy } from '../container.js';
import { parseDuration } from '../duration.js';
import type { Engine } from '../engine.js';
import { daemonError, NotImplemented } from '../failure.js';
import { readHealthCommand } from '../health-command.js';
import type { HealthSettings } from '../health-monitor.js';
import type { Image } from '../image.js';
import type { ComposeProject, ServiceModel } from './model.js';

/** Docker's defaults for a healthcheck. */
const INTERVAL = '30s';
const TIMEOUT = '30s';
const RETRIES = 3;

/** The container that a service needs, and whether an existing one matches. */
export class ServicePlan {
  readonly name: string;
  readonly service: ServiceModel;
  readonly image: Image;
  readonly hash: string;
  readonly #project: ComposeProject;

  constructor(project: ComposeProject, name: string, service: ServiceModel, image: Image) {
    this.#project = project;
    this.name = name;
    this.service = service;
    this.image = image;
    this.hash = configHash(service);
  }

  /** Whether a container with these labels has this definition and image, so that compose keeps it. */
  isMetBy(labels: Readonly<Record<string, string>>): boolean {
    return (
      labels['com.docker.compose.config-hash'] === this.hash && labels['com.docker.compose.image'] === this.image.id
    );
  }

  /** Creates missing volumes and bind folders, like Docker. */
  containerSpec(engine: Engine, number: number, labels: Record<string, string>): ContainerSpec {
    const { service, image } = this;
    const own = Object.entries(service.environment ?? {}).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    );
    return {
      image,
      imageName: service.image,
      env: Object.fromEntries([...image.env.map(splitPair), ...own]),
      labels: { ...labels, ...this.#labels(number) },
      ports: (service.ports ?? []).map(({ target, published, host_ip }) => ({
        containerPort: target,
        hostPort: Number(published),
        hostIp: host_ip ?? '',
      })),
      mounts: readMounts(engine, this.#project, service),
      restart: readRestart(service.restart ?? 'no'),
      health: readHealth(service),
      network: `${this.#project.name}_default`,
    };
  }

  /** Of a one-off container: no published ports, no healthcheck, and its image runs another program. */
  oneOffSpec(engine: Engine, labels: Record<string, string>, image: Image): ContainerSpec {
    const usual = this.containerSpec(engine, 1, labels);
    return {
      ...usual,
      image,
      labels: { ...usual.labels, 'com.docker.compose.oneoff': 'True' },
      ports: [],
      health: undefined,
      restart: { name: 'no', maximumRetryCount: 0 },
    };
  }

  #labels(number: number): Record<string, string> {
    return {
      'com.docker.compose.config-hash': this.hash,
      'com.docker.compose.container-number': `${number}`,
      'com.docker.compose.image': this.image.id,
      'com.docker.compose.oneoff': 'False',
      'com.docker.compose.project': this.#project.name,
      'com.docker.compose.service': this.name,
    };
  }
}

/** Like compose, without what changes no container: scale, dependencies, profiles. */
function configHash({ depends_on: _, profiles: __, scale: ___, deploy: ____, ...rest }: ServiceModel): string {
  const sorted = (_key: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return createHash('sha256').update(JSON.stringify(rest, sorted)).digest('hex');
}

function splitPair(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return [pair.slice(0, equals), pair.slice(equals + 1)];
}

function readMounts(engine: Engine, project: ComposeProject, service: ServiceModel): Mount[] {
  return (service.volumes ?? []).map(({ type, source, target, read_only: readOnly = false }): Mount => {
    if (type === 'volume') {
      const name = project.volumes[source]?.name ?? source;
      return { type, name, source: engine.volumeFolder(name), target, readOnly };
    }
    if (relative(engine.boundary, source).startsWith('..')) {
      throw new NotImplemented(`bind mount of ${source}, which is outside the droplet's folder`);
    }
    if (!existsSync(source)) mkdirSync(source, { recursive: true });
    return { type, source, target, readOnly };
  });
}

function readRestart(policy: string): RestartPolicy {
  const [given, count = '0'] = policy.split(':');
  const name = (['no', 'always', 'unless-stopped', 'on-failure'] as const).find((known) => known === given);
  if (name !== undefined) return { name, maximumRetryCount: Number(count) };
  throw daemonError(
    `invalid restart policy: unknown policy '${given}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
  );
}

function readHealth({ healthcheck }: ServiceModel): HealthSettings | undefined {
  const { test = ['NONE'], disable } = healthcheck ?? {};
  if (test[0] === 'NONE' || disable) return undefined;
  const ms = (given: string | undefined, otherwise: string) => parseDuration(given ?? otherwise) ?? 0;
  return {
    command: readHealthCommand(test),
    intervalMs: ms(healthcheck?.interval, INTERVAL),
    timeoutMs: ms(healthcheck?.timeout, TIMEOUT),
    retries: healthcheck?.retries ?? RETRIES,
    startPeriodMs: ms(healthcheck?.start_period, '0s'),
  };
}
