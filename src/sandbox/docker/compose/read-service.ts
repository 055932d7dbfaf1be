import { resolve } from 'node:path';
import { z } from 'zod';
import { formatDuration, parseDuration } from '../duration.js';
import { NotImplemented } from '../failure.js';
import { invalidProject } from './invalid.js';

const text = z.union([z.string(), z.number()]).transform(String);
const texts = z.array(text);

/** In Go's format: `1m30s`. */
const duration = text.transform((given, context) => {
  const ms = parseDuration(given);
  if (ms !== undefined) return formatDuration(ms);
  context.addIssue(`time: invalid duration ${JSON.stringify(given)}`);
  return z.NEVER;
});

/** A mapping, or a list of `NAME=value`. `NAME` alone (null) takes its value from elsewhere. */
const environment = z.preprocess(
  (given) =>
    Array.isArray(given)
      ? Object.fromEntries(given.map((pair) => /^([^=]*)(?:=(.*))?$/s.exec(String(pair))?.slice(1) ?? []))
      : given,
  z.record(
    z.string(),
    z
      .union([z.string(), z.number(), z.boolean()])
      .nullish()
      .transform((value) => (value == null ? null : `${value}`)),
  ),
);

const conditions = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);
const dependency = z.strictObject({
  condition: conditions.default('service_started'),
  required: z.boolean().default(true),
  restart: z.boolean().optional(),
});
const dependsOn = z.preprocess(
  (given) => (Array.isArray(given) ? Object.fromEntries(given.map((name) => [name, {}])) : given),
  z.record(z.string(), dependency),
);

/** `[ADDRESS:]HOST:CONTAINER`, tcp only. */
const port = z.unknown().transform((given) => {
  const match = /^(?:([\d.]+):)?(\d+):(\d+)(?:\/tcp)?$/.exec(String(given));
  if (match === null) throw new NotImplemented(`compose port ${shown(given)}`);
  const [, host_ip, published, target] = match;
  return { mode: 'ingress', host_ip, target: Number(target), published, protocol: 'tcp' };
});

/** `SOURCE:TARGET[:ro]`, relative paths below `folder`. */
const volumeIn = (folder: string) =>
  z.unknown().transform((given) => {
    const match = /^([^:~]+):([^:]+?)(?::(ro|rw))?$/.exec(String(given));
    if (match === null) throw new NotImplemented(`compose volume ${shown(given)}`);
    const [, source = '', target = '', mode] = match;
    const common = { target, ...(mode === 'ro' && { read_only: true }) };
    if (!/^[./]/.test(source)) return { type: 'volume' as const, source, ...common, volume: {} };
    return { type: 'bind' as const, source: resolve(folder, source), ...common, bind: { create_host_path: true } };
  });

const healthcheck = z.strictObject({
  test: z.preprocess((given) => (typeof given === 'string' ? ['CMD-SHELL', given] : given), texts).optional(),
  interval: duration.optional(),
  timeout: duration.optional(),
  retries: z.int().optional(),
  start_period: duration.optional(),
  disable: z.boolean().optional(),
});

const serviceIn = (folder: string) => {
  const path = text.transform((given) => resolve(folder, given));
  const build = z.preprocess(
    (given) => (typeof given === 'string' ? { context: given } : given),
    z.strictObject({ context: path, dockerfile: z.string().default('Dockerfile') }),
  );
  const envFile = z.preprocess(
    (given) => (typeof given === 'string' ? { path: given } : given),
    z.strictObject({ path, required: z.boolean().default(true) }),
  );
  return z.strictObject({
    image: z.string().optional(),
    build: build.optional(),
    restart: z.string().optional(),
    init: z.boolean().optional(),
    profiles: texts.optional(),
    env_file: z.preprocess((given) => [given].flat(), z.array(envFile)).optional(),
    environment: environment.optional(),
    depends_on: dependsOn.optional(),
    ports: z.array(port).optional(),
    volumes: z.array(volumeIn(folder)).optional(),
    healthcheck: healthcheck.optional(),
    stop_grace_period: duration.optional(),
    scale: z.int().optional(),
    deploy: z.strictObject({ replicas: z.int().optional() }).optional(),
    logging: z.record(z.string(), z.unknown()).optional(),
  });
};

/** A service of one compose file, in compose's canonical form. `env_file` is read after the files are merged. */
export type Service = z.infer<ReturnType<typeof serviceIn>>;

/**
 * Reads one service of one compose file.
 * @param at its place in the file: `services.app`
 * @param folder where relative paths start
 * Throws NotImplemented for keys that the stand-in does not support, DockerFailure for invalid values.
 */
export function readService(raw: unknown, at: string, folder: string): Service {
  const entries = Object.entries(asMap(raw, at)).filter(([key]) => !key.startsWith('x-'));
  const result = serviceIn(folder).safeParse(Object.fromEntries(entries));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = [at, ...(issue?.path ?? [])].join('.');
  if (issue?.code === 'unrecognized_keys') throw new NotImplemented(`compose key ${place}.${issue.keys[0]}`);
  throw invalidProject(`${place}: ${issue?.message}`);
}

export function asMap(value: unknown, at: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalidProject(`${at} must be a mapping`);
}

function shown(given: unknown): string {
  return typeof given === 'string' ? given : JSON.stringify(given);
}
