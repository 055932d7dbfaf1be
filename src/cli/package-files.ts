/** Where the installed package keeps its files, wherever in it this code runs. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAME = 'do-deploy';

/** The folder that holds do-deploy's package.json; absolute, without a trailing slash. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (readPackage(folder)?.name === NAME) return folder;
    if (folder === dirname(folder)) throw new Error(`do-deploy's package.json was not found above ${import.meta.url}`);
  }
}

export function packageVersion(): string {
  return readPackage(packageRoot())?.version ?? '';
}

/** The command, for a process of its own. */
export function packageMain(): string {
  return join(packageRoot(), 'dist/main.js');
}

function readPackage(folder: string): { name?: string; version?: string } | undefined {
  const file = join(folder, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}
