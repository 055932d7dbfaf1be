import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseDocument, visit } from 'yaml';
import { DockerFailure, NotImplemented } from '../failure.js';
import { readEnvFile } from './env-file.js';
import { InterpolationError, interpolate, type Lookup } from './interpolate.js';
import { FILE_NOT_FOUND, invalidProject, PARSE_FAILURE } from './invalid.js';
import { mergeMaps, mergeServices } from './merge.js';
import type { ComposeProject, PartialService, ServiceModel } from './model.js';
import { inDependencyOrder } from './order.js';
import { asMap, readService } from './read-service.js';

export interface ComposeOptions {
  projectName: string;
  /** In order; relative paths inside start at the first one's folder. */
  files: string[];
  /** For interpolation; later ones win, the process environment wins over all. */
  envFiles: string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  warn(message: string): void;
}

/** Loads, interpolates, merges and resolves compose files, with compose's own words and exit codes when they are wrong. */
export function loadProject(options: ComposeOptions): ComposeProject {
  const [first] = options.files;
  if (first === undefined) throw new DockerFailure('no configuration file provided: not found', FILE_NOT_FOUND);
  const folder = resolve(options.cwd, dirname(first));

  const unset = onceFor((name) => options.warn(`The "${name}" variable is not set. Defaulting to a blank string.`));
  const environment = readEnvironment(options, folder, unset);
  const lookup: Lookup = (name) => environment[name];

  let services: Record<string, PartialService> = {};
  const top: Record<'networks' | 'volumes', Record<string, unknown>> = { networks: {}, volumes: {} };
  for (const file of options.files) {
    const raw = asMap(interpolateTree(readYaml(resolve(options.cwd, file)), '', lookup, unset), file);
    if (raw.version !== undefined) {
      const advice = 'it will be ignored, please remove it to avoid potential confusion';
      options.warn(`${resolve(options.cwd, file)}: the attribute \`version\` is obsolete, ${advice}`);
    }
    services = mergeFile(services, raw, folder);
    for (const key of ['networks', 'volumes'] as const) top[key] = mergeMaps(top[key], asMap(raw[key] ?? {}, key), '');
  }
  const finished = Object.entries(services)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .filter(([, service]) => (service.profiles ?? []).length === 0)
    .map(([name, service]): [string, ServiceModel] => [
      name,
      finish(options.projectName, name, service, lookup, unset),
    ]);
  return checked({
    name: options.projectName,
    services: Object.fromEntries(finished),
    ...named(options.projectName, top, Object.fromEntries(finished)),
  });
}

function readEnvironment(
  options: ComposeOptions,
  folder: string,
  unset: (name: string) => void,
): Record<string, string> {
  const standard = join(folder, '.env');
  const files = options.envFiles.length > 0 ? options.envFiles : existsSync(standard) ? [standard] : [];
  const values: Record<string, string> = {};
  for (const file of files) {
    const path = resolve(options.cwd, file);
    if (!existsSync(path)) throw new DockerFailure(`Couldn't find env file: ${path}`);
    Object.assign(
      values,
      readEnvFile(readFileSync(path, 'utf8'), (name) => options.env[name] ?? values[name], unset),
    );
  }
  return { ...values, ...options.env };
}

function readYaml(path: string): unknown {
  if (!existsSync(path)) throw new DockerFailure(`open ${path}: no such file or directory`, FILE_NOT_FOUND);
  const document = parseDocument(readFileSync(path, 'utf8'), { merge: true, version: '1.2' });
  const [error] = document.errors;
  if (error !== undefined) throw invalidProject(`yaml: ${error.message}`);
  visit(document, (_key, node) => {
    // `!reset`, `!override`
    if (
      node !== null &&
      typeof node === 'object' &&
      'tag' in node &&
      typeof node.tag === 'string' &&
      node.tag.startsWith('!')
    ) {
      throw new NotImplemented(`compose tag ${node.tag}`);
    }
  });
  return document.toJS() ?? {};
}

/** Every text value, at any depth; keys stay as they are. */
function interpolateTree(value: unknown, at: string, lookup: Lookup, unset: (name: string) => void): unknown {
  if (typeof value === 'string') {
    try {
      return interpolate(value, lookup, unset);
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error;
      throw new DockerFailure(error.tell(at), PARSE_FAILURE);
    }
  }
  if (Array.isArray(value)) return value.map((entry) => interpolateTree(entry, `${at}.[]`, lookup, unset));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      interpolateTree(entry, at === '' ? key : `${at}.${key}`, lookup, unset),
    ]),
  );
}

function mergeFile(services: Record<string, PartialService>, raw: Record<string, unknown>, folder: string) {
  for (const key of Object.keys(raw)) {
    const known = ['name', 'version', 'services', 'networks', 'volumes'].includes(key) || key.startsWith('x-');
    if (!known) throw new NotImplemented(`compose key ${key}`);
  }
  const merged = { ...services };
  for (const [name, service] of Object.entries(asMap(raw.services ?? {}, 'services'))) {
    merged[name] = mergeServices(merged[name] ?? {}, readService(service, `services.${name}`, folder));
  }
  return merged;
}

/** Defaults, and the environment out of env_file and environment, which wins. */
function finish(
  project: string,
  name: string,
  partial: PartialService,
  lookup: Lookup,
  unset: (name: string) => void,
): ServiceModel {
  const { env_file: envFiles = [], image, environment: own, ...rest } = partial;
  if (image === undefined && partial.build === undefined)
    throw invalidProject(
      `service "${name}" has neither an image nor a build context specified: invalid compose project`,
    );

  const environment: Record<string, string | null> = {};
  for (const { path, required } of envFiles) {
    if (!existsSync(path)) {
      if (!required) continue;
      throw new DockerFailure(`env file ${path} not found: stat ${path}: no such file or directory`, FILE_NOT_FOUND);
    }
    Object.assign(
      environment,
      readEnvFile(readFileSync(path, 'utf8'), (key) => environment[key] ?? lookup(key), unset),
    );
  }
  for (const [key, value] of Object.entries(own ?? {})) environment[key] = value ?? lookup(key) ?? null;
  return {
    command: null,
    entrypoint: null,
    networks: { default: null },
    ...rest,
    image: image ?? `${project}-${name}`,
    ...(image === undefined && { unnamed: true }),
    ...((envFiles.length > 0 || own !== undefined) && { environment }),
  };
}

function named(
  project: string,
  top: Record<'networks' | 'volumes', Record<string, unknown>>,
  services: Record<string, ServiceModel>,
) {
  const name = (key: string, value: unknown) => ({
    name: `${project}_${key}`,
    ...(value === null ? {} : asMap(value, key)),
  });
  const used = Object.values(services);
  const networks = new Set(used.flatMap((service) => Object.keys(service.networks)));
  const volumes = new Set(used.flatMap((service) => (service.volumes ?? []).map(({ source }) => source)));
  return {
    networks: Object.fromEntries(
      Object.entries({ ...(networks.has('default') && { default: null }), ...top.networks })
        .filter(([key]) => networks.has(key))
        .map(([key, value]) => [key, { ipam: {}, ...name(key, value) }]),
    ),
    volumes: Object.fromEntries(
      Object.entries(top.volumes)
        .filter(([key]) => volumes.has(key))
        .map(([key, value]) => [key, name(key, value)]),
    ),
  };
}

/** Refuses references to what the project does not have, and circles. */
function checked(project: ComposeProject): ComposeProject {
  for (const [name, service] of Object.entries(project.services)) {
    for (const [other, { required }] of Object.entries(service.depends_on ?? {})) {
      if (project.services[other] !== undefined || !required) continue;
      throw invalidProject(
        `service "${name}" depends on undefined service ${JSON.stringify(other)}: invalid compose project`,
      );
    }
    for (const network of Object.keys(service.networks)) {
      if (project.networks[network] !== undefined) continue;
      throw invalidProject(`service "${name}" refers to undefined network ${network}: invalid compose project`);
    }
    for (const { type, source } of service.volumes ?? []) {
      if (type === 'bind' || source === undefined || project.volumes[source] !== undefined) continue;
      throw invalidProject(`service "${name}" refers to undefined volume ${source}: invalid compose project`);
    }
  }
  inDependencyOrder(project.services);
  return project;
}

function onceFor(report: (name: string) => void): (name: string) => void {
  const seen = new Set<string>();
  return (name) => {
    if (!seen.has(name)) report(name);
    seen.add(name);
  };
}
