/** Programs of this machine, which stand in for those of an image. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DockerFailure } from '../failure.js';
import type { Become } from './call.js';

const FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin'];

/** Throws DockerFailure, as Docker does for a program that the image lacks. */
export function programOf(words: readonly string[], env: Readonly<Record<string, string>>): Become {
  const [name = ''] = words;
  const isThere = name.startsWith('/') ? existsSync(name) : FOLDERS.some((folder) => existsSync(join(folder, name)));
  if (name === '' || !isThere) throw new DockerFailure(notInPath(words), 127);
  return { words, env: { ...env, PATH: FOLDERS.join(':') } };
}

function notInPath([name = '']: readonly string[]): string {
  return `Error response from daemon: failed to create task for container: OCI runtime create failed: exec: "${name}": executable file not found in $PATH: unknown`;
}
