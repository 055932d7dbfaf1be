import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { formatDuration, parseDuration } from '../duration.js';
import { NotImplemented } from '../failure.js';
import { splitWords } from '../words.js';
import { invalidProject } from './invalid.js';
import type { BuildModel, Dependency, HealthcheckModel, PartialService, PortModel, VolumeModel } from './model.js';

type Raw = Record<string, unknown>;

/** Reads a value at a place (`services.app.image`), with relative paths below `folder`. */
type Reader = (value: unknown, at: string, folder: string) => unknown;

/** One service of one compose file, in compose's canonical form. Keys that the stand-in does not know are refused. */
export function readService(raw: unknown, at: string, folder: string): PartialService {
  const service: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(asMap(raw, at))) {
    if (key.startsWith('x-') || value === undefined) continue;
    const read = READERS.get(key);
    if (read === undefined) throw new NotImplemented(`compose key ${at}.${key}`);
    service[key] = read(value, `${at}.${key}`, folder);
  }
  return service;
}

const READERS = new Map<string, Reader>([
  ['image', asString],
  ['build', readBuild],
  ['hostname', asString],
  ['user', asString],
  ['working_dir', asString],
  ['mem_limit', readBytes],
  ['restart', readRestart],
  ['init', asBoolean],
  ['command', readWords],
  ['entrypoint', readWords],
  ['profiles', asTexts],
  ['expose', asTexts],
  ['env_file', readEnvFiles],
  ['environment', (value, at) => asPairs(value, at)],
  ['labels', (value, at) => asPairs(value, at, '')],
  ['extra_hosts', readExtraHosts],
  ['depends_on', readDependsOn],
  ['networks', readNetworks],
  ['ports', (value, at) => asList(value, at).flatMap((port) => readPort(port, at))],
  ['volumes', (value, at, folder) => asList(value, at).map((volume) => readVolume(volume, at, folder))],
  ['healthcheck', readHealthcheck],
  ['stop_grace_period', readDuration],
  ['scale', asNumber],
  ['deploy', readDeploy],
  ['logging', (value, at) => asMap(value, at)],
  ['ulimits', (value, at) => asMap(value, at)],
]);

function readBuild(value: unknown, at: string, folder: string): BuildModel {
  if (typeof value === 'string') return { context: resolve(folder, value), dockerfile: 'Dockerfile' };
  const { context = '.', dockerfile = 'Dockerfile', ...rest } = asMap(value, at);
  refuseRest(rest, at);
  return { context: resolve(folder, asText(context, at)), dockerfile: asText(dockerfile, at) };
}

function readRestart(value: unknown, at: string): string {
  return value === false ? 'no' : asString(value, at);
}

/** `512m` in bytes, as text. */
function readBytes(value: unknown, at: string): string {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([kmgt]?)b?$/i.exec(asText(value, at)) ?? [];
  if (amount === undefined) throw invalidProject(`${at}: invalid size: ${JSON.stringify(value)}`);
  return String(Number(amount) * 1024 ** ' kmgt'.indexOf(unit.toLowerCase() || ' '));
}

function readWords(value: unknown, at: string): string[] | null {
  if (value === null) return null;
  return typeof value === 'string' ? splitWords(value) : asTexts(value, at);
}

function readEnvFiles(value: unknown, at: string, folder: string): { path: string; required: boolean }[] {
  const files = Array.isArray(value) ? value : [value];
  return files.map((file) => {
    if (typeof file === 'string') return { path: resolve(folder, file), required: true };
    const { path, required = true, ...rest } = asMap(file, at);
    refuseRest(rest, at);
    return { path: resolve(folder, asText(path, at)), required: asBoolean(required, at) };
  });
}

function readExtraHosts(value: unknown, at: string): string[] {
  if (!Array.isArray(value)) return Object.entries(asMap(value, at)).map(([host, ip]) => `${host}=${asText(ip, at)}`);
  return asTexts(value, at).map((entry) => entry.replace(/[:=]/, '='));
}

function readDependsOn(value: unknown, at: string): Record<string, Dependency> {
  if (Array.isArray(value)) {
    return Object.fromEntries(
      asTexts(value, at).map((name) => [name, { condition: 'service_started', required: true }]),
    );
  }
  return mapValues(asMap(value, at), (entry, name) => {
    const { condition = 'service_started', required = true, restart, ...rest } = asMap(entry, `${at}.${name}`);
    refuseRest(rest, `${at}.${name}`);
    const known = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;
    const found = known.find((one) => one === condition);
    if (found === undefined) throw invalidProject(`${at}.${name}.condition must be one of ${known.join(', ')}`);
    return {
      condition: found,
      required: asBoolean(required, at),
      ...(restart !== undefined && { restart: asBoolean(restart, at) }),
    };
  });
}

function readNetworks(value: unknown, at: string): Record<string, unknown> {
  if (Array.isArray(value)) return Object.fromEntries(asTexts(value, at).map((name) => [name, null]));
  return asMap(value, at);
}

function readPort(value: unknown, at: string): PortModel[] {
  if (typeof value === 'object' && value !== null) {
    const { target, published, protocol = 'tcp', mode = 'ingress', host_ip, ...rest } = value as Raw;
    refuseRest(rest, at);
    return [
      port(
        asText(target, at),
        published === undefined ? undefined : asText(published, at),
        { host_ip, protocol, mode },
        at,
      ),
    ];
  }
  const match = /^(?:(?:(\[[^\]]+\]|[\d.]+):)?(\d*):)?(\d+)(?:\/(\w+))?$/.exec(asText(value, at));
  if (match === null) throw new NotImplemented(`${at}: ${String(value)}`);
  const [, host_ip, published, target = '', protocol = 'tcp'] = match;
  return [port(target, published || undefined, { host_ip, protocol, mode: 'ingress' }, at)];
}

function port(target: string, published: string | undefined, more: Raw, at: string): PortModel {
  const { host_ip, protocol, mode } = more;
  if (protocol !== 'tcp') throw new NotImplemented(`${at}: protocol ${String(protocol)}`);
  if (published !== undefined && !/^\d+$/.test(published)) throw new NotImplemented(`${at}: published ${published}`);
  return {
    mode: asText(mode, at),
    ...(host_ip !== undefined && { host_ip: asText(host_ip, at).replace(/^\[(.*)\]$/, '$1') }),
    target: asNumber(target, at),
    published,
    protocol,
  };
}

function readVolume(value: unknown, at: string, folder: string): VolumeModel {
  if (typeof value === 'object' && value !== null) return readLongVolume(value as Raw, at, folder);
  const [first = '', second, mode, ...rest] = asText(value, at).split(':');
  const options = (mode ?? 'rw').split(',');
  if (rest.length > 0 || options.some((option) => !['rw', 'ro', 'z', 'Z'].includes(option))) {
    throw new NotImplemented(`${at}: ${String(value)}`);
  }
  const readOnly = options.includes('ro') && { read_only: true as const };
  if (second === undefined) return { type: 'volume', target: first, volume: {} };
  if (!/^[./~]/.test(first)) return { type: 'volume', source: first, target: second, ...readOnly, volume: {} };
  return {
    type: 'bind',
    source: absolute(first, folder),
    target: second,
    ...readOnly,
    bind: { create_host_path: true },
  };
}

function readLongVolume(raw: Raw, at: string, folder: string): VolumeModel {
  const { type, source, target, read_only, ...rest } = raw;
  refuseRest(rest, at);
  const readOnly = read_only !== undefined && { read_only: asBoolean(read_only, at) };
  if (type === 'bind')
    return { type, source: absolute(asText(source, at), folder), target: asText(target, at), ...readOnly };
  if (type !== 'volume') throw new NotImplemented(`${at}: volume of type ${String(type)}`);
  return { type, ...(source !== undefined && { source: asText(source, at) }), target: asText(target, at), ...readOnly };
}

function absolute(path: string, folder: string): string {
  return resolve(folder, path.replace(/^~(?=\/|$)/, homedir()));
}

function readHealthcheck(value: unknown, at: string): HealthcheckModel {
  const { test, interval, timeout, retries, start_period, start_interval, disable, ...rest } = asMap(value, at);
  refuseRest(rest, at);
  const durations = { interval, timeout, start_period, start_interval };
  return {
    ...(test !== undefined && { test: typeof test === 'string' ? ['CMD-SHELL', test] : asTexts(test, at) }),
    ...(retries !== undefined && { retries: asNumber(retries, at) }),
    ...(disable !== undefined && { disable: asBoolean(disable, at) }),
    ...mapValues(
      Object.fromEntries(Object.entries(durations).filter(([, duration]) => duration !== undefined)),
      (duration) => readDuration(duration, at),
    ),
  };
}

function readDuration(value: unknown, at: string): string {
  const ms = parseDuration(asText(value, at));
  if (ms === undefined) throw invalidProject(`${at}: time: invalid duration ${JSON.stringify(value)}`);
  return formatDuration(ms);
}

/** Only replicas have an effect; resources are taken as given. */
function readDeploy(value: unknown, at: string): Raw {
  const { replicas, resources, ...rest } = asMap(value, at);
  refuseRest(rest, at);
  return {
    ...(replicas !== undefined && { replicas: asNumber(replicas, at) }),
    resources: resources ?? {},
    placement: {},
  };
}

function refuseRest(rest: Raw, at: string): void {
  const key = Object.keys(rest).find((name) => !name.startsWith('x-'));
  if (key !== undefined) throw new NotImplemented(`compose key ${at}.${key}`);
}

// --- scalars and maps ---

export function asMap(value: unknown, at: string): Raw {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidProject(`${at} must be a mapping`);
  return value as Raw;
}

function asList(value: unknown, at: string): unknown[] {
  if (!Array.isArray(value)) throw invalidProject(`${at} must be a list`);
  return value;
}

function asString(value: unknown, at: string): string {
  if (typeof value !== 'string') throw invalidProject(`${at} must be a string`);
  return value;
}

/** Where compose takes a number too. */
function asText(value: unknown, at: string): string {
  return typeof value === 'number' ? String(value) : asString(value, at);
}

function asTexts(value: unknown, at: string): string[] {
  return asList(value, at).map((entry) => asText(entry, at));
}

function asNumber(value: unknown, at: string): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isInteger(number)) throw invalidProject(`${at} must be an integer`);
  return number;
}

function asBoolean(value: unknown, at: string): boolean {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  throw invalidProject(`${at} must be a boolean`);
}

/** A mapping, or a list of `NAME=value`; `NAME` alone has no value of its own. */
function asPairs(value: unknown, at: string, absent: string | null = null): Record<string, string | null> {
  const entries = Array.isArray(value)
    ? asTexts(value, at).map((entry): [string, unknown] => {
        const equals = entry.indexOf('=');
        return equals < 0 ? [entry, null] : [entry.slice(0, equals), entry.slice(equals + 1)];
      })
    : Object.entries(asMap(value, at));
  return Object.fromEntries(
    entries.map(([name, one]) => [
      name,
      one === null ? absent : typeof one === 'boolean' ? String(one) : asText(one, at),
    ]),
  );
}

function mapValues<T>(map: Raw, change: (value: unknown, key: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value, key)]));
}
