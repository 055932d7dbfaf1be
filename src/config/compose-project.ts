/**
 * The services of compose files as far as they can be read without compose: for a preview. What cannot be known here is left
 * to compose on a droplet.
 */
import { posix } from 'node:path';
import { isTreeMap, type Tree } from './document.js';
import { parseEnvFile } from './env-file.js';
import { interpolate } from './interpolate.js';
import { parseYaml } from './yaml-syntax.js';

export interface ComposeText {
  composeFiles: readonly string[];
  /** Compose interpolates with their variables; the last one that sets a variable counts. */
  envFiles: readonly string[];
  environment: string;
  imageTag: string;
  /** Undefined: there is no such file. */
  textOf(path: string): string | undefined;
}

export interface ProjectService {
  /** Absent if the service is built. */
  image?: string;
  /** What its files say of it, with the variables replaced: only for a comparison, because it may hold secrets. */
  definition: string;
  /** Env files whose variables its containers get; paths relative to the project. */
  envFiles: string[];
  /** It mounts something of the release's folder, which is another one with each deploy. */
  mountsRelease: boolean;
}

type Part = Record<string, Tree>;

/** By name. Undefined where the files cannot be read as compose reads them, or take services from elsewhere. */
export function readComposeProject(project: ComposeText): Map<string, ProjectService> | undefined {
  const variables = variablesIn(project);
  const found = new Map<string, Part[]>();
  for (const path of project.composeFiles) {
    const text = project.textOf(path);
    const parsed = text === undefined ? undefined : parseYaml(text);
    if (parsed === undefined || 'message' in parsed) return undefined;
    const tree = withVariables(toTree(parsed.document), variables);
    if (!isTreeMap(tree) || tree.include !== undefined || !isTreeMap(tree.services ?? {})) return undefined;
    for (const [name, service] of Object.entries((tree.services ?? {}) as Part)) {
      if (!isTreeMap(service) || service.extends !== undefined) return undefined;
      found.set(name, [...(found.get(name) ?? []), service]);
    }
  }
  const folder = posix.dirname(project.composeFiles[0] ?? '');
  return new Map([...found].map(([name, parts]) => [name, serviceOf(parts, folder)]));
}

function serviceOf(parts: readonly Part[], folder: string): ProjectService {
  // YAML's merge key: what it brings comes before what stands beside it.
  const layers = parts.flatMap((part) => [...merged(part['<<']), part]);
  const image = layers.map((layer) => layer.image).findLast((one) => typeof one === 'string' && one !== '');
  const isBuilt = layers.some(({ build }) => build !== undefined);
  const lists = (key: string) => layers.flatMap((layer) => listOf(layer[key]));
  const envFiles = lists('env_file').map((one) => (isTreeMap(one) ? one.path : one));
  const isMounted = (one: Tree | undefined) =>
    isTreeMap(one) ? one.type === 'bind' && isRelative(one.source) : isRelative(one);
  return {
    ...(typeof image === 'string' && !isBuilt && { image }),
    definition: JSON.stringify(parts.map(({ image: _, ...rest }) => rest)),
    envFiles: envFiles.flatMap((one) => (typeof one === 'string' ? posix.join(folder, one) : [])),
    mountsRelease: lists('volumes').some(isMounted),
  };
}

function merged(tree: Tree | undefined): Part[] {
  return listOf(tree).flatMap((one) => (isTreeMap(one) ? [one] : []));
}

function listOf(tree: Tree | undefined): Tree[] {
  if (tree === undefined || tree === null) return [];
  return Array.isArray(tree) ? tree : [tree];
}

function isRelative(source: Tree | undefined): boolean {
  return typeof source === 'string' && source.startsWith('.');
}

/** The variables that env files set, as compose reads them. */
export function readEnvText(text: string): Map<string, string> {
  return new Map(parseEnvFile(text).variables.map(({ name, value }) => [name, value]));
}

function variablesIn({ envFiles, environment, imageTag, textOf }: ComposeText): Map<string, string> {
  const known = new Map<string, string>();
  const own = new Map([
    ['DEPLOY_ENV', environment],
    ['IMAGE_TAG', imageTag],
  ]);
  for (const path of envFiles) {
    const { variables } = parseEnvFile(textOf(path) ?? '', (name) => own.get(name) ?? known.get(name));
    for (const { name, value } of variables) known.set(name, value);
  }
  // What do-deploy sets comes before every env file.
  return new Map([...known, ...own]);
}

function toTree(document: { toJS(): unknown }): Tree | undefined {
  try {
    return document.toJS() as Tree;
  } catch {
    // Aliases without an anchor, or too many.
    return undefined;
  }
}

/** What compose would refuse stays as it is written: a deploy says so. */
function withVariables(tree: Tree | undefined, variables: ReadonlyMap<string, string>): Tree | undefined {
  if (typeof tree === 'string') return interpolate(tree, (name) => variables.get(name)) ?? tree;
  if (Array.isArray(tree)) return tree.map((one) => withVariables(one, variables) as Tree);
  if (!isTreeMap(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, withVariables(value, variables) as Tree]));
}
