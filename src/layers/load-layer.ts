/** Finds the layer that a name in config/deploy.yml stands for: a built-in one, a file of the project, or a package. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { LIFECYCLE_EVENTS } from '../rollout/lifecycle.js';
import { LAYERS } from './index.js';
import type { Layer } from './layer.js';

/** Why a layer cannot be used. */
export interface Unusable {
  message: string;
  remedy: string;
}

/** @param root the project's folder; absolute */
export async function loadLayer(name: string, root: string): Promise<Layer | Unusable> {
  const builtIn = Object.hasOwn(LAYERS, name) ? LAYERS[name] : undefined;
  if (builtIn !== undefined) return (await builtIn()).default;
  const isFile = /^\.{0,2}\//.test(name);
  const path = isFile ? resolve(root, name) : packagePath(name, root);
  if (path === undefined || (isFile && !existsSync(path))) return unknown(name, isFile);
  let loaded: unknown;
  try {
    loaded = await importFile(path, root);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      message: `cannot be loaded: ${firstLine(reason)}`,
      remedy: `correct ${isFile ? name : `the package ${name}`}`,
    };
  }
  return isLayer(loaded)
    ? loaded
    : { message: 'exports no layer', remedy: 'write `export default defineLayer({ … })`' };
}

function unknown(name: string, isFile: boolean): Unusable {
  if (isFile)
    return {
      message: 'does not exist',
      remedy: `create ${name}, relative to the project's folder, or correct the path`,
    };
  const isPackage = name.includes('/');
  const known = `known: ${Object.keys(LAYERS).join(', ')}`;
  return isPackage
    ? { message: 'is not installed', remedy: `run \`npm install --save-dev ${name}\` in the project` }
    : { message: 'is not a layer', remedy: `${known}; a file of yours begins with ./` };
}

function packagePath(name: string, root: string): string | undefined {
  try {
    return createRequire(join(root, 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
}

/** TypeScript and JavaScript. `do-deploy` is this program, wherever it is installed. */
async function importFile(path: string, root: string): Promise<unknown> {
  const { createJiti } = await import('jiti');
  const jiti = createJiti(pathToFileURL(join(root, 'package.json')).href, {
    alias: { 'do-deploy': ownIndex() },
    fsCache: false,
    interopDefault: true,
  });
  return await jiti.import(path, { default: true });
}

function ownIndex(): string {
  const built = fileURLToPath(new URL('../index.js', import.meta.url));
  return existsSync(built) ? built : built.replace(/\.js$/, '.ts');
}

function isLayer(value: unknown): value is Layer {
  if (typeof value !== 'object' || value === null) return false;
  const { name, on, config } = value as Partial<Layer>;
  if (typeof name !== 'string' || typeof on !== 'object' || on === null) return false;
  if (typeof config?.safeParseAsync !== 'function') return false;
  return Object.keys(on).every((event) => (LIFECYCLE_EVENTS as readonly string[]).includes(event));
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.slice(0, 500) ?? '';
}
