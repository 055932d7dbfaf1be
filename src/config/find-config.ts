import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { homeOf } from './home.js';
import type { ProcessEnv } from './variables.js';

/** Looked for in this order. */
const CONFIG_FILES = ['config/deploy.yml', 'config/deploy.yaml'];

/**
 * The configuration of the project that this folder belongs to: here or in a folder above, up to the user's home.
 * @param cwd absolute
 */
export function findConfig(cwd: string, env: ProcessEnv): { root: string; file: string } | undefined {
  const home = homeOf(env);
  for (let root = cwd; ; root = dirname(root)) {
    const isThere = root === cwd ? mayExist : existsSync;
    const file = CONFIG_FILES.map((name) => join(root, name)).find((path) => isThere(path));
    if (file !== undefined) return { root, file };
    if (root === home || root === dirname(root)) return undefined;
  }
}

/** True also where this user may not search the folder: reading the file then reports that. */
function mayExist(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}
