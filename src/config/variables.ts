import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { type ConfigDocument, isTreeMap, type Path, type Tree, valueAt } from './document.js';
import type { ProblemList } from './problems.js';

/** The files for do-deploy's own variables, first wins; relative to the project's root. They are never uploaded. */
export const OWN_ENV_FILES = ['config/.env', '.env'] as const;

/** What of do-deploy's own variables must not leave this machine. */
export const OWN_SECRETS: readonly string[] = [
  'DO_TOKEN',
  'DIGITALOCEAN_ACCESS_TOKEN',
  'SSH_PRIVATE_KEY',
  'DOCKER_PASSWORD',
];

export type ProcessEnv = Readonly<Record<string, string | undefined>>;

/** What `$NAME` stands for: the process environment first, then the project's own env files. */
export interface Variables {
  /** Undefined when it is not set, '' when it is set to nothing. */
  get(name: string): string | undefined;
  /** What to do to set it. */
  howToSet(name: string): string;
  /** Everything that the env files hold. */
  fromFiles: ReadonlyMap<string, string>;
}

/** Reads the env files; those that are encrypted or can't be read become problems. */
export function readVariables(root: string, env: ProcessEnv, problems: ProblemList): Variables {
  const fromFiles = new Map<string, string>();
  // The first file wins, so the last is read first.
  for (const path of OWN_ENV_FILES.toReversed()) {
    const content = readEnvFile(root, path, problems);
    if (content === undefined) continue;
    const encryption = encryptionOf(content);
    if (encryption !== undefined) {
      problems.add(path, `is encrypted by ${encryption.by}`, encryption.remedy(path));
      continue;
    }
    // parse() only reads; config() would also change the process environment.
    for (const [name, value] of Object.entries(parse(content))) fromFiles.set(name, value);
  }
  return {
    get: (name) => (env[name] ? env[name] : (fromFiles.get(name) ?? env[name])),
    howToSet(name) {
      const example = existsSync(join(root, 'config/.env.example')) && !existsSync(join(root, 'config/.env'));
      if (example) return `cp config/.env.example config/.env, and set ${name} there, or in the environment`;
      return `set ${name} in the environment, or in config/.env (which is not uploaded)`;
    },
    fromFiles,
  };
}

/** Undefined when there is none: a folder of that name is somebody else's, Python's virtualenv for example. */
function readEnvFile(root: string, path: string, problems: ProblemList): Buffer | undefined {
  const file = join(root, path);
  try {
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat === undefined || stat.isDirectory() ? undefined : readFileSync(file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    problems.add(path, `can't be read: ${reason}`, `look at its permissions: ls -ld ${file}`);
    return undefined;
  }
}

/**
 * How a file is encrypted, if it is: then it is useless as it stands.
 * @param options.byText also by words in it, which in a file other than an env file may be innocent; default true
 */
export function encryptionOf(
  content: Buffer,
  options: { byText: boolean } = { byText: true },
): { by: string; remedy: (path: string) => string } | undefined {
  if (content.subarray(0, 9).equals(Buffer.from('\0GITCRYPT'))) {
    return { by: 'git-crypt', remedy: () => 'git-crypt unlock' };
  }
  if (options.byText && /^sops_version=/m.test(content.toString('utf8'))) {
    return { by: 'SOPS', remedy: (path) => `sops decrypt --in-place ${path}` };
  }
  return undefined;
}

/**
 * The tree with `$NAME` and `${NAME}` replaced (`$$` is a plain `$`). What cannot be replaced is left out, and its path
 * is among `unknown`: a variable that is not set (a problem, if this run needs it), and what this run does not need:
 * other environments, values that the environment replaces, and the keys in `without`.
 */
export function expandVariables(
  document: ConfigDocument,
  { environment, without }: { environment: string; without: readonly string[] },
  variables: Variables,
  problems: ProblemList,
): { tree: Tree; unknown: Path[] } {
  const unknown: Path[] = [];
  const overrides = valueAt(document.tree, ['environments', environment]);

  function isNeeded(path: Path): boolean {
    const isOwn = path[0] === 'environments' && path[1] === environment;
    if (without.includes(String(isOwn ? path[2] : path[0]))) return false;
    return isOwn || (path[0] !== 'environments' && !isReplaced(overrides, path));
  }

  function expandText(text: string, path: Path): string | undefined {
    const names = [...text.matchAll(REFERENCE)].flatMap((match) => match[1] ?? match[2] ?? []);
    if (names.length > 0 && !isNeeded(path)) {
      unknown.push(path);
      return undefined;
    }
    const missing = [...new Set(names.filter((name) => !variables.get(name)))];
    for (const name of missing) {
      const state = variables.get(name) === undefined ? 'is not set' : 'is empty';
      problems.add(document.place(path), `$${name} ${state} (for ${showPath(path)})`, variables.howToSet(name));
    }
    if (missing.length > 0) {
      unknown.push(path);
      return undefined;
    }
    return text.replace(REFERENCE, (whole, braced?: string, bare?: string) => {
      const name = braced ?? bare;
      return name === undefined ? whole.slice(1) : (variables.get(name) ?? '');
    });
  }

  function expand(value: Tree, path: Path): Tree | undefined {
    if (typeof value === 'string') return expandText(value, path);
    if (Array.isArray(value)) {
      const items = value.map((item, index) => expand(item, [...path, index]));
      // A list with a hole is left out whole: the other items would slip out of their lines.
      return items.includes(undefined) ? undefined : (items as Tree[]);
    }
    if (!isTreeMap(value)) return value;
    const pairs = Object.entries(value).map(([key, item]) => [key, expand(item, [...path, key])] as const);
    return Object.fromEntries(pairs.filter((pair): pair is [string, Tree] => pair[1] !== undefined));
  }

  return { tree: expand(document.tree, []) ?? {}, unknown };
}

/** `rollout.drain.timeout`, as messages name a key. */
export function showPath(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : step))
    .join('.')
    .replaceAll('.[', '[');
}

/** `$$`, `${NAME}` or `$NAME`; the names are the groups. */
const REFERENCE = /\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;

/** Whether `overrides` has a value of its own there: at the path, or a list or plain value above it. */
function isReplaced(overrides: Tree | undefined, path: Path): boolean {
  let value = overrides;
  for (const step of path) {
    if (!isTreeMap(value)) return value !== undefined;
    value = Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value !== undefined && !isTreeMap(value);
}
