/** Env files of a project as they lie on this machine: for doctor, and what it may correct. */
import { appendFileSync, chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeText } from './decode-text.js';
import { parseEnvFile } from './env-file.js';
import { isEnvFile } from './file-names.js';
import { MAX_FILE_BYTES, readHead } from './read-file.js';
import { secretValues } from './secret-values.js';
import type { SourceFile } from './settings.js';
import { OWN_ENV_FILES } from './variables.js';

export interface EnvFile {
  /** Relative to the project. */
  path: string;
  mode?: number;
  /** It holds values that are not plainly harmless. */
  hasSecrets: boolean;
  git?: 'tracked' | 'untracked' | 'ignored';
}

/** Paths relative to the project. */
export interface GitPaths {
  tracked: ReadonlySet<string>;
  /** Those that git does not ignore. */
  untracked: ReadonlySet<string>;
}

/**
 * do-deploy's own env files, and those of a release; what is not in the working tree is left out.
 * @param git absent outside of a repository
 */
export function examineEnvFiles(root: string, files: readonly SourceFile[], git: GitPaths | undefined): EnvFile[] {
  const ofRelease = files.filter(({ path, localPath }) => localPath !== undefined && isEnvFile(path));
  const paths = new Set([...OWN_ENV_FILES, ...ofRelease.map(({ path }) => path)]);
  return [...paths].flatMap((path) => {
    const known = examine(join(root, path));
    if (known === undefined) return [];
    return [{ path, ...known, ...(git && { git: stateOf(path, git) }) }];
  });
}

function stateOf(path: string, { tracked, untracked }: GitPaths): EnvFile['git'] {
  if (tracked.has(path)) return 'tracked';
  return untracked.has(path) ? 'untracked' : 'ignored';
}

function examine(file: string): Pick<EnvFile, 'mode' | 'hasSecrets'> | undefined {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) return undefined;
    const text = decodeText(readHead(file, MAX_FILE_BYTES).content);
    const hasSecrets = typeof text !== 'string' || secretValues(parseEnvFile(text).variables).length > 0;
    return { mode: stat.mode & 0o777, hasSecrets };
  } catch {
    // That it is missing or cannot be read is a problem of the configuration, where it is one.
    return undefined;
  }
}

/** Only its owner may read and write it from now on. */
export function closeEnvFile(root: string, path: string): void {
  chmodSync(join(root, path), 0o600);
}

/** Adds the path to the .gitignore of the project. */
export function ignoreInGit(root: string, path: string): void {
  const file = join(root, '.gitignore');
  let before = '';
  try {
    before = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  appendFileSync(file, `${before === '' || before.endsWith('\n') ? '' : '\n'}/${path}\n`);
}
