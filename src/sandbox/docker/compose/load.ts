import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseDocument, visit } from 'yaml';
import { DockerFailure, NotImplemented } from '../failure.js';
import { readEnvFile } from './env-file.js';
import { InterpolationError, interpolate, type Lookup } from './interpolate.js';
import { FILE_NOT_FOUND, invalidProject } from './invalid.js';
import { mergeMaps } from './merge.js';
import type { ComposeProject, ServiceModel } from './model.js';
import { inDependencyOrder } from './order.js';
import { asMap, readService, type Service } from './read-service.js';

export interface ComposeOptions {
  projectName: string;
  /** In order, absolute; relative paths in them start at the first file's folder. */
  files: string[];
  /** For interpolation: later files override earlier ones, the process environment overrides all. */
  envFiles: string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  warn(message: string): void;
  /** A service that is wanted although it has profiles. */
  wanted?: string;
}

/** Where variables come from, and what to do about one that is not set. */
interface Variables {
  lookup: Lookup;
  unset: (name: string) => void;
}

/** Reads, interpolates, merges and resolves compose files, with compose's own messages and exit codes for invalid ones. */
export function loadProject(options: ComposeOptions): ComposeProject {
  const [first] = options.files;
  if (first === undefined) throw new DockerFailure('no configuration file provided: not found', FILE_NOT_FOUND);
  const folder = dirname(first);
  const variables = readVariables(options, folder);

  let services: Record<string, Service> = {};
  let volumes: Record<string, unknown> = {};
  const extensions: Record<string, unknown> = {};
  for (const file of options.files) {
    const raw = asMap(interpolateTree(readYaml(file), '', variables), file);
    const unknown = Object.keys(raw).find((key) => !/^(?:name|version|services|volumes|x-.*)$/.test(key));
    if (unknown !== undefined) throw new NotImplemented(`compose key ${unknown}`);
    for (const [key, value] of Object.entries(raw)) if (key.startsWith('x-')) extensions[key] = value;
    const read = Object.entries(asMap(raw.services ?? {}, 'services')).map(
      ([name, service]) => [name, readService(service, `services.${name}`, folder)] as const,
    );
    services = mergeMaps(services, Object.fromEntries(read), 'services') as Record<string, Service>;
    volumes = mergeMaps(volumes, asMap(raw.volumes ?? {}, 'volumes'), 'volumes');
  }
  const on = (variables.lookup('COMPOSE_PROFILES') ?? '').split(',');
  const isOn = ([name, { profiles = [] }]: [string, Service]) =>
    profiles.length === 0 || name === options.wanted || profiles.some((one) => on.includes(one));
  const disabled = Object.entries(services).flatMap((entry) => (isOn(entry) ? [] : entry[0]));
  const enabled = Object.entries(services)
    .filter(isOn)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, service]) => [name, finish(options.projectName, name, service, variables)] as const);
  return { ...extensions, ...checked(options.projectName, Object.fromEntries(enabled), volumes), disabled };
}

function readVariables({ envFiles, cwd, env, warn }: ComposeOptions, folder: string): Variables {
  const standard = join(folder, '.env');
  const files = envFiles.length > 0 ? envFiles : existsSync(standard) ? [standard] : [];
  const values: Record<string, string> = {};
  const warned = new Set<string>();
  const unset = (name: string) => {
    if (!warned.has(name)) warn(`The "${name}" variable is not set. Defaulting to a blank string.`);
    warned.add(name);
  };
  for (const file of files) {
    const path = resolve(cwd, file);
    if (!existsSync(path)) throw new DockerFailure(`Couldn't find env file: ${path}`);
    const lookup: Lookup = (name) => env[name] ?? values[name];
    Object.assign(values, readEnvFile(readFileSync(path, 'utf8'), lookup, unset));
  }
  return { lookup: (name) => env[name] ?? values[name], unset };
}

function readYaml(path: string): unknown {
  if (!existsSync(path)) throw new DockerFailure(`open ${path}: no such file or directory`, FILE_NOT_FOUND);
  const document = parseDocument(readFileSync(path, 'utf8'), { merge: true, version: '1.2' });
  const [error] = document.errors;
  if (error !== undefined) throw invalidProject(`yaml: ${error.message}`);
  visit(document, {
    Node: (_key, { tag }) => {
      if (tag?.startsWith('!')) throw new NotImplemented(`compose tag ${tag}`);
    },
  });
  return document.toJS() ?? {};
}

/** Interpolates every text value, at any depth; keys stay as they are. */
function interpolateTree(value: unknown, place: string, variables: Variables): unknown {
  if (typeof value === 'string') {
    try {
      return interpolate(value, variables.lookup, variables.unset);
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error;
      throw invalidProject(error.messageAt(place));
    }
  }
  if (Array.isArray(value)) return value.map((entry) => interpolateTree(entry, `${place}.[]`, variables));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, entry]) => [
    key,
    interpolateTree(entry, place === '' ? key : `${place}.${key}`, variables),
  ]);
  return Object.fromEntries(entries);
}

/** Adds the image's name and the environment: env_file first, overridden by `environment`. */
function finish(project: string, name: string, service: Service, { lookup, unset }: Variables): ServiceModel {
  const { env_file: envFiles = [], image, environment: own, ...rest } = service;
  if (image === undefined && rest.build === undefined) {
    throw invalidProject(
      `service "${name}" has neither an image nor a build context specified: invalid compose project`,
    );
  }
  const environment: Record<string, string | null> = {};
  for (const { path, required } of envFiles) {
    if (!existsSync(path)) {
      if (!required) continue;
      throw new DockerFailure(`env file ${path} not found: stat ${path}: no such file or directory`, FILE_NOT_FOUND);
    }
    const find: Lookup = (key) => environment[key] ?? lookup(key);
    Object.assign(environment, readEnvFile(readFileSync(path, 'utf8'), find, unset));
  }
  for (const [key, value] of Object.entries(own ?? {})) environment[key] = value ?? lookup(key) ?? null;
  return {
    ...rest,
    image: image ?? `${project}-${name}`,
    unnamed: image === undefined || undefined,
    environment: envFiles.length > 0 || own !== undefined ? environment : undefined,
  };
}

/** Names the network and the volumes. Throws for references to something undefined, and for cycles. */
function checked(
  name: string,
  services: Record<string, ServiceModel>,
  top: Record<string, unknown>,
): Omit<ComposeProject, 'disabled'> {
  const volumes: ComposeProject['volumes'] = {};
  for (const [service, { depends_on = {}, volumes: mounts = [] }] of Object.entries(services)) {
    for (const [other, { required }] of Object.entries(depends_on)) {
      if (services[other] !== undefined || !required) continue;
      throw invalidProject(
        `service "${service}" depends on undefined service ${JSON.stringify(other)}: invalid compose project`,
      );
    }
    for (const { source } of mounts.filter(({ type }) => type === 'volume')) {
      if (!(source in top)) {
        throw invalidProject(`service "${service}" refers to undefined volume ${source}: invalid compose project`);
      }
      volumes[source] = { name: `${name}_${source}`, ...asMap(top[source] ?? {}, source) };
    }
  }
  inDependencyOrder(services);
  return { name, services, networks: { default: { name: `${name}_default`, ipam: {} } }, volumes };
}
