import { existsSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { decodeText } from './decode-text.js';
import { type ConfigDocument, isTreeMap, type Path, readDocument, type Tree, valueAt } from './document.js';
import { findConfig } from './find-config.js';
import { ConfigError, type ProblemList } from './problems.js';
import { readSmallFile } from './read-file.js';
import { DEFAULT_COMPOSE_FILES } from './sections/compose.js';
import { DEFAULT_FILES } from './sections/files.js';
import { type ProcessEnv, readVariables, type Variables } from './variables.js';

/** Where a project's configuration comes from. */
export interface Project {
  /** The folder that holds `config/`; absolute. */
  root: string;
  document: ConfigDocument;
  variables: Variables;
  /** Without a file, the balancer is the account's only one. */
  hasFile: boolean;
}

/**
 * Reads config/deploy.yml, here or in a folder above (or the file given), or makes the same document from environment
 * variables alone. What is wrong with a part of it is added to `problems`.
 * @throws ConfigError when the file cannot be read as a whole
 */
export function openProject(
  options: { cwd: string; configPath?: string; env: ProcessEnv },
  problems: ProblemList,
): Project {
  const { cwd, configPath, env } = options;
  if (configPath === '') throw badConfigFile('--config', 'is empty');
  const file = configPath === undefined ? findConfig(cwd, env)?.file : resolve(cwd, configPath);
  if (file === undefined) {
    const variables = readVariables(cwd, env, problems);
    return { root: cwd, document: documentFromVariables(cwd, variables, problems), variables, hasFile: false };
  }
  const root = basename(dirname(file)) === 'config' ? dirname(dirname(file)) : dirname(file);
  const fromHere = relative(cwd, file);
  const label = configPath === undefined ? fromHere : shorter(configPath, fromHere);
  const document = readDocument(readText(file, label), label, problems);
  return { root, document, variables: readVariables(root, env, problems), hasFile: true };
}

/** The names of the environments, in the order in which they are written. */
export function environmentsOf(document: ConfigDocument): string[] {
  const environments = valueAt(document.tree, ['environments']);
  return isTreeMap(environments) ? Object.keys(environments) : [];
}

/** Where a value that holds for the environment is written: in its own section, else at the top. */
export function placeOf({ document }: Project, environment: string, path: Path): string {
  const own = ['environments', environment, ...path];
  return document.place(valueAt(document.tree, own) === undefined ? path : own);
}

function readText(file: string, label: string): string {
  const content = readSmallFile(file) ?? { message: 'does not exist', remedy: undefined };
  if (!Buffer.isBuffer(content)) throw badConfigFile(label, content.message, content.remedy);
  const text = decodeText(content);
  if (typeof text === 'string') return text;
  throw badConfigFile(`${label}:${text.line}`, text.message, text.remedy);
}

function badConfigFile(
  place: string,
  message: string,
  remedy = 'give --config the path of an existing file',
): ConfigError {
  return new ConfigError('The configuration', [{ place, message, remedy }]);
}

/**
 * The same document as a file's, from the variables STAGING_DROPLET_ID, DOCKER_USERNAME, DOCKER_PASSWORD and, for an account with
 * several balancers, LOAD_BALANCER. Files are looked for under their usual names, in compose/ and config/ first.
 */
function documentFromVariables(root: string, variables: Variables, problems: ProblemList): ConfigDocument {
  // In a project without compose/ or config/, the same names are looked for at the root.
  const asFound = (path: string) => {
    const inRoot = path.replace(/^(compose|config)\//, '');
    const names = (written: string) => ['staging', 'production'].map((name) => written.replace('{environment}', name));
    const exists = (written: string) => names(written.replace('?', '')).some((name) => existsSync(join(root, name)));
    return !exists(path) && exists(inRoot) ? inRoot : path;
  };

  const tree: Tree = {
    app: appNameFrom(root),
    compose: DEFAULT_COMPOSE_FILES.map(asFound),
    files: DEFAULT_FILES.map(asFound),
    environments: {
      staging: { droplet: '$STAGING_DROPLET_ID' },
      production: variables.get('LOAD_BALANCER') ? { load_balancer: '$LOAD_BALANCER' } : {},
    },
  };
  const [username, password] = [variables.get('DOCKER_USERNAME'), variables.get('DOCKER_PASSWORD')];
  if (username && password) tree.registry = { username: '$DOCKER_USERNAME', password: '$DOCKER_PASSWORD' };
  else if (username || password) {
    const [present, absent] = username
      ? ['DOCKER_USERNAME', 'DOCKER_PASSWORD']
      : ['DOCKER_PASSWORD', 'DOCKER_USERNAME'];
    problems.add(absent, `is not set, but ${present} is`, variables.howToSet(absent));
  }

  const place = (path: Path) => (path[0] === 'compose' || path[0] === 'files' ? root : 'environment variables');
  return { label: 'environment variables', tree, place };
}

/** A compose project name from the folder's, as compose itself makes one. */
export function appNameFrom(root: string): string {
  const name = basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '')
    .replace(/^[_-]+/, '');
  return name === '' ? 'app' : name;
}

function shorter(a: string, b: string): string {
  return b !== '' && b.length < a.length ? b : a;
}
