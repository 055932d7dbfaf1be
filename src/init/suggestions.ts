/** What a project's files suggest for `compose:` and `files:`. Pure: the folder is a set of paths. */
import { posix } from 'node:path';
import { isEnvFile } from '../config/file-names.js';
import type { EnvironmentName } from './answers.js';
import type { ComposeNeeds } from './compose-needs.js';

/** Where a compose file is looked for: do-deploy's own folder first, then as docker compose does. */
const NAMES = ['docker-compose.yml', 'docker-compose.yaml', 'compose.yaml', 'compose.yml'];
export const COMPOSE_BASES: readonly string[] = [
  ...NAMES.map((name) => `compose/${name}`),
  ...['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'],
];

/** Env files and folders that releases usually have; later files override earlier ones. */
const USUAL_FILES = [
  '.env',
  '.env.common',
  '.env.{environment}',
  'config/.env.common',
  'config/.env.{environment}',
  'config/nginx/',
];

export interface Folder {
  exists(path: string): boolean;
  isFolder(path: string): boolean;
}

/** The base, and the files of environments that stand beside it. */
export function composeEntries(base: string, environments: readonly EnvironmentName[], folder: Folder): string[] {
  return [base, ...entryOf(ofEnvironment(base), environments, folder)];
}

/** Env files and what compose mounts, in the order in which they override each other. */
export function fileEntries(needs: ComposeNeeds, environments: readonly EnvironmentName[], folder: Folder): string[] {
  const usual = USUAL_FILES.flatMap((path) => entryOf(path, environments, folder));
  const covered = new Set(usual.flatMap((path) => pathsOf(path.replace(/\?$/, ''), environments)));
  const needed = [...needs.envFiles, ...needs.mounts.filter((mount) => isSent(mount, folder)).map(({ path }) => path)];
  const more = needed.flatMap((path) => {
    const entry = folder.isFolder(path) ? `${path}/` : path;
    const isCovered = [...covered].some((one) => one === entry || (one.endsWith('/') && entry.startsWith(one)));
    // config/.env is do-deploy's own.
    if (isCovered || path === 'config/.env' || !folder.exists(path)) return [];
    covered.add(entry);
    return [entry];
  });
  const isEnv = (path: string) => isEnvFile(path.replace(/\?$/, ''));
  return [...more.filter(isEnv), ...usual, ...more.filter((path) => !isEnv(path))];
}

/** Mounts that a container writes to: in a release's own folder, the next release would not have what was written. */
export function writtenMounts({ mounts }: ComposeNeeds, folder: Folder): string[] {
  return [...new Set(mounts.filter((mount) => !isSent(mount, folder)).map(({ path }) => path))];
}

/** A folder that is not read-only holds data, not files of the release. */
function isSent({ path, isReadOnly }: ComposeNeeds['mounts'][number], folder: Folder): boolean {
  return isReadOnly || (folder.exists(path) && !folder.isFolder(path));
}

function ofEnvironment(base: string): string {
  const extension = posix.extname(base);
  return `${base.slice(0, -extension.length)}.{environment}${extension}`;
}

function pathsOf(entry: string, environments: readonly EnvironmentName[]): string[] {
  return entry.includes('{environment}') ? environments.map((name) => entry.replace('{environment}', name)) : [entry];
}

/** With a `?` where only some environments have it; none where no environment has it. */
function entryOf(entry: string, environments: readonly EnvironmentName[], folder: Folder): string[] {
  const paths = pathsOf(entry, environments);
  const found = paths.filter((path) => folder.exists(path.replace(/\/$/, '')));
  if (found.length === 0) return [];
  return [found.length < paths.length ? `${entry}?` : entry];
}
