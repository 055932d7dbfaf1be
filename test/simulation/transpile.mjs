/**
 * Makes plain JavaScript of the product's core and of the simulation, so that both run in Node without a loader, and so
 * that a fault can be planted into the core on the way. Types are checked elsewhere (`npm run types`).
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Everything that the simulation imports, directly or not. */
const FOLDERS = [
  'src',
  'src/commands/shared',
  'src/config',
  'src/deploy',
  'src/rollout',
  'src/targets',
  'test/simulation',
  'test/support',
];
/** To be changed with the options below. */
const VERSION = 2;
/** Below node_modules, so that bare imports are found. */
const CACHE = join(ROOT, 'node_modules/.cache/do-deploy-simulation');

/**
 * @param {string} name of the copy; a copy of the same name is replaced
 * @param {(path: string, source: string) => string} [change] of a source, by its path from the root
 * @returns {Promise<string>} the folder that holds src/ and test/, as JavaScript
 */
export async function transpile(name, change = (_, source) => source) {
  const out = join(CACHE, name);
  rmSync(out, { recursive: true, force: true });
  for (const path of sources()) {
    const source = change(path, readFileSync(join(ROOT, path), 'utf8'));
    const target = join(out, path.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, await toJavaScript(path, source));
  }
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }\n');
  return out;
}

/** Paths from the root. */
export function sources() {
  const deep = new Set(['src/deploy']);
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: deep.has(folder), encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.endsWith('.d.ts'))
      .map((file) => `${folder}/${file}`),
  );
}

/** What was made of a source once is kept: most sources are the same the next time. */
async function toJavaScript(path, source) {
  const kept = join(CACHE, 'kept', createHash('sha256').update(`${VERSION}\n${path}\n${source}`).digest('hex'));
  if (existsSync(kept)) return readFileSync(kept, 'utf8');
  const { transformWithOxc } = await import('vite');
  const { code } = await transformWithOxc(source, path, {
    target: 'es2022',
    typescript: { onlyRemoveTypeImports: true },
    sourcemap: false,
  });
  mkdirSync(dirname(kept), { recursive: true });
  writeFileSync(kept, code);
  return code;
}
