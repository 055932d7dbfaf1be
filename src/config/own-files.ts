import { statSync } from 'node:fs';
import { isAbsolute, relative, sep } from 'node:path';
import { parse } from 'dotenv';
import { parseEnvFile } from './env-file.js';
import type { FileTree } from './file-tree.js';
import { OWN_ENV_FILES, OWN_SECRETS } from './variables.js';

/** Files with do-deploy's own secrets: by whatever link or name they are reached, they never leave this machine. */
export class OwnFiles {
  readonly #tree: FileTree;
  readonly #environment: string;
  readonly #keys: readonly { path: string; reals: readonly string[] }[];
  #envFiles: { path: string; real: string }[] | undefined;

  /** @param keys private keys that do-deploy logs in with; absolute */
  constructor({ root, environment }: { root: string; environment: string }, tree: FileTree, keys: readonly string[]) {
    this.#tree = tree;
    this.#environment = environment;
    this.#keys = keys.map((key) => {
      const path = relative(root, key).split(sep).join('/');
      const isInside = !path.startsWith('../') && !isAbsolute(path);
      const found = isInside ? tree.find(path) : undefined;
      const reals = [inodeOf(key), found?.kind === 'file' ? found.real : undefined];
      return { path: isInside ? path : key, reals: reals.filter((real) => real !== undefined) };
    });
  }

  /** The one that `real` (see `Found`) is: its own path, what it is, and what to do instead of sending it. */
  match(real: string): { path: string; what: string; remedy: string } | undefined {
    const key = this.#keys.find(({ reals }) => reals.includes(real))?.path;
    if (key !== undefined) {
      const what = 'is the SSH key that do-deploy logs in with';
      return { path: key, what, remedy: 'give the app a key of its own' };
    }
    this.#envFiles ??= OWN_ENV_FILES.flatMap((path) => {
      const found = this.#tree.find(path);
      return found?.kind === 'file' && this.#isOwn(path) ? [{ path, real: found.real }] : [];
    });
    const env = this.#envFiles.find((own) => own.real === real)?.path;
    if (env === undefined) return undefined;
    const example = `config/.env.${this.#environment}`;
    const remedy = `move what the app needs to ${example}, and list that`;
    return { path: env, what: "holds do-deploy's own secrets", remedy };
  }

  /** A .env at the root is often the app's own; with our secrets in it, it stays here. */
  #isOwn(path: (typeof OWN_ENV_FILES)[number]): boolean {
    if (path !== '.env') return true;
    const [read] = this.#tree.read([path]);
    const text = read === undefined || read instanceof Error ? '' : read.content.toString('utf8');
    const names = [...Object.keys(parse(text)), ...parseEnvFile(text).variables.map(({ name }) => name)];
    return names.some((name) => OWN_SECRETS.includes(name));
  }
}

/** As `WorkingTree` names a file. */
function inodeOf(path: string): string | undefined {
  try {
    const stat = statSync(path);
    return `inode ${stat.dev}:${stat.ino}`;
  } catch {
    return undefined;
  }
}
