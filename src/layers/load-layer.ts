/** Finds the layer that a name in config/deploy.yml stands for: a built-in one, a file of the project, or a package. */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Jiti } from 'jiti';
import { suggest } from '../config/suggest.js';
import { inWords } from '../durations.js';
import { reasonOf } from '../errors.js';
import type { Clock } from '../ports.js';
import { faultOf, type Unusable } from './definition.js';
import { LAYERS } from './index.js';
import type { Layer } from './layer.js';

/** Bounds the loading of a layer, and the check of its settings, in ms. */
const LOADING_MS = 20_000;

/** Whether the name stands for a layer of do-deploy. */
export function isBuiltIn(name: string): boolean {
  return Object.hasOwn(LAYERS, name);
}

/** Whether it names a file of the project, and not a package. */
export function isFileName(name: string): boolean {
  return /^\.{0,2}\//.test(name);
}

/** Rejects when a layer's own code takes longer than any that only loads or checks. */
export async function inTime<T>(clock: Clock, task: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = clock.sleep(LOADING_MS, done.signal).then(() => {
    throw new Error(`it is not done after ${inWords(LOADING_MS)}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([task(), late]);
  } finally {
    done.abort();
  }
}

/** @param root the project's folder; absolute */
export async function loadLayer(name: string, root: string, clock: Clock): Promise<Layer | Unusable> {
  const builtIn = isBuiltIn(name) ? LAYERS[name] : undefined;
  if (builtIn !== undefined) return (await builtIn()).default;
  const isFile = isFileName(name);
  const path = isFile ? resolve(root, name) : await packagePath(name, root);
  if (path === undefined || (isFile && !existsSync(path))) return unknown(name, isFile, root);
  if (isFile && statSync(path).isDirectory())
    return { message: 'is a folder', remedy: `name its file: ${name.replace(/\/$/, '')}/layer.ts` };
  let loaded: unknown;
  try {
    loaded = await inTime(clock, () => importFile(path, root));
  } catch (error) {
    const reason = reasonOf(error);
    return {
      message: `cannot be loaded: ${firstLine(reason).trim()}${placeIn(error, path)}`,
      remedy: missingPackage(reason, { name, isFile }) ?? `correct ${isFile ? name : `the package ${name}`}`,
    };
  }
  try {
    return faultOf(loaded) ?? (loaded as Layer);
  } catch (error) {
    return { message: `exports a layer that cannot be read: ${firstLine(reasonOf(error))}`, remedy: `correct ${name}` };
  }
}

/** @param root the project's folder */
function unknown(name: string, isFile: boolean, root: string): Unusable {
  if (!isFile && /\.[cm]?[jt]s$/.test(name) && !existsSync(resolve(root, name)))
    return { message: 'does not exist', remedy: `create it; a file of yours begins with ./: \`./${name}\`` };
  if (isFile)
    return {
      message: 'does not exist',
      remedy: `create ${name}, relative to the project's folder, or correct the path`,
    };
  if (existsSync(resolve(root, name))) return { message: 'is a file', remedy: `write ./${name}` };
  if (installed(name, root)) {
    const message = 'is installed, but has no entry that can be loaded: see main or exports in its package.json';
    return { message, remedy: `build it, or run \`npm install --save-dev ${name}@latest\` in the project` };
  }
  const isPackage = name.includes('/');
  const similar = suggest(name, Object.keys(LAYERS));
  if (!isPackage && similar !== undefined) return { message: 'is not a layer', remedy: `did you mean ${similar}?` };
  const known = `known: ${Object.keys(LAYERS).join(', ')}`;
  return isPackage
    ? { message: 'is not installed', remedy: `run \`npm install --save-dev ${name}\` in the project` }
    : { message: 'is not a layer', remedy: `${known}; a file of yours begins with ./` };
}

/** Undefined when it is not installed, or has no entry. */
async function packagePath(name: string, root: string): Promise<string | undefined> {
  try {
    return createRequire(join(root, 'package.json')).resolve(name);
  } catch {
    // Its `exports` may be only for `import`.
    const found = (await jitiOf(root)).esmResolve(name, { try: true });
    return found?.startsWith('file:') && existsSync(fileURLToPath(found)) ? fileURLToPath(found) : undefined;
  }
}

/** Also in a folder above, as in a workspace. */
function installed(name: string, root: string): boolean {
  const above = dirname(root);
  if (existsSync(join(root, 'node_modules', name, 'package.json'))) return true;
  return above !== root && installed(name, above);
}

/** What to type when something that the layer imports is missing; undefined for another failure. */
function missingPackage(reason: string, { name, isFile }: { name: string; isFile: boolean }): string | undefined {
  const [, imported = ''] = /Cannot find (?:module|package) '([^']+)'/.exec(reason) ?? [];
  const [needed] = /^(?:@[\w.-]+\/)?[\w-][\w.-]*/.exec(imported) ?? [];
  if (needed === undefined) return undefined;
  return isFile
    ? `run \`npm install --save-dev ${needed}\` in the project`
    : `run \`npm install --save-dev ${needed}\` in the project, or add it to the dependencies of ${name}`;
}

/** TypeScript and JavaScript. `do-deploy` is this program, wherever it is installed. */
async function importFile(path: string, root: string): Promise<unknown> {
  return await (await jitiOf(root)).import(path, { default: true });
}

async function jitiOf(root: string): Promise<Jiti> {
  const { createJiti } = await import('jiti');
  return createJiti(pathToFileURL(join(root, 'package.json')).href, {
    alias: { 'do-deploy': ownIndex() },
    fsCache: false,
    interopDefault: true,
  });
}

function ownIndex(): string {
  const built = fileURLToPath(new URL('../index.js', import.meta.url));
  return existsSync(built) ? built : built.replace(/\.js$/, '.ts');
}

/** `(line 5)`, where the error or its stack names a line of the file; '' elsewhere. */
function placeIn(error: unknown, path: string): string {
  const text = error instanceof Error ? `${error.message}\n${error.stack}` : '';
  const at = text.indexOf(`${path}:`);
  const [, line] = at < 0 ? [] : (/^:(\d+)/.exec(text.slice(at + path.length)) ?? []);
  return line === undefined ? '' : ` (line ${line})`;
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.slice(0, 500) ?? '';
}
