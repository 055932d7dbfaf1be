/** The projects in examples/, ready to be loaded: with the files that git ignores, made from their examples. */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

export const EXAMPLES = readdirSync('examples').filter((name) => name !== 'ci');

/** Copies the project; `.env.example` and the like become the files that they are examples of. */
export function copyExample(name: string, folder: string): void {
  cpSync(join('examples', name), folder, { recursive: true });
  const config = join(folder, 'config');
  for (const file of readdirSync(config).filter((one) => one.endsWith('.example'))) {
    const path = join(config, file.replace(/\.example$/, ''));
    renameSync(join(config, file), path);
    // As somebody fills in a token.
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('…', '0123'));
  }
}

export interface ComposeFile {
  services: Record<string, Record<string, unknown>>;
  [key: string]: unknown;
}

export const COMPOSE = 'compose/docker-compose.yml';

export function readCompose(folder: string): ComposeFile {
  return parse(readFileSync(join(folder, COMPOSE), 'utf8'), { merge: true }) as ComposeFile;
}

/** Changes a YAML file of the copy. */
export function rewrite<T>(folder: string, path: string, change: (document: T) => T): void {
  const text = readFileSync(join(folder, path), 'utf8');
  writeFileSync(
    join(folder, path),
    stringify(change(parse(text, { merge: true }) as T), { aliasDuplicateObjects: false }),
  );
}

export function removeAll(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
