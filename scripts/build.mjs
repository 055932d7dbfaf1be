// Bundles the command into dist/, split by what a command loads, with source maps, types and the licences of what is
// bundled. `npm ci` and `npm pack` run it (prepare). A tarball holds the result, so installing one builds nothing.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { leanPackages, replaced } from './lean-packages.mjs';
import { notices } from './third-party-notices.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = join(ROOT, 'src');
const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

/**
 * All chunks lie in dist/ itself, wherever their modules come from. `import.meta.url` keeps the meaning that it has in
 * src/: the module's own place, with dist/ for src/. So `../../package.json` is the same file in both.
 */
const moduleUrls = {
  name: 'module-urls',
  transform: {
    filter: { id: /\/src\/.*\.ts$/, code: 'import.meta.url' },
    handler(code, id) {
      const place = relative(SOURCES, id).replace(/\.ts$/, '.js');
      return replaced(code, ['import.meta.url', `new URL(${JSON.stringify(`./${place}`)}, import.meta.url).href`]);
    },
  },
};

/** Chunks that hold only packages are named after the main one, so that a stack trace says where it leads. */
function chunkName({ moduleIds }) {
  const paths = moduleIds.filter((id) => !id.startsWith('\0'));
  const packages = paths.map((id) => /.*\/node_modules\/(?:@[^/]+\/)?([^/]+)\//.exec(id)?.[1]);
  if (packages.length === 0 || packages.includes(undefined)) return '[name]-[hash].js';
  const weight = (name) => packages.filter((one) => one === name).length + (devDependencies[name] ? 1_000 : 0);
  const [name] = packages.toSorted((a, b) => weight(b) - weight(a));
  return `${name}-[hash].js`;
}

/** The library is a bundle of its own: it gives all of zod to layers, which no command needs. */
const BUNDLES = [
  { input: { main: 'src/main.ts' }, plugins: [moduleUrls, leanPackages()] },
  { input: { index: 'src/index.ts' }, plugins: [moduleUrls] },
];

async function bundleInto(folder, { input, plugins }) {
  const bundle = await rolldown({
    cwd: ROOT,
    input,
    platform: 'node',
    plugins,
  });
  const { output } = await bundle.write({
    dir: folder,
    // Node takes three times as long to load an ES module.
    format: 'cjs',
    sourcemap: true,
    comments: false,
    entryFileNames: '[name].js',
    chunkFileNames: chunkName,
  });
  await bundle.close();
  return output.flatMap((chunk) => (chunk.type === 'chunk' ? Object.keys(chunk.modules) : []));
}

/** A layer's types name zod's: they come along, because an installed package brings no other one. */
function bringTypes(folder) {
  const zod = join(createRequire(import.meta.url).resolve('zod/package.json'), '..');
  for (const part of ['index.d.ts', 'v4/classic', 'v4/core', 'v4/locales']) {
    cpSync(join(zod, part), join(folder, 'zod', part), {
      recursive: true,
      filter: (path) => !path.includes('tests') && (!/\.\w+$/.test(path) || path.endsWith('.d.ts')),
    });
  }
  for (const [file, up] of [
    ['index.d.ts', '.'],
    ['layers/layer.d.ts', '..'],
  ]) {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes("'zod'")) throw new Error(`${file} does not import zod`);
    writeFileSync(path, text.replace("'zod'", `'${up}/zod/index.js'`));
  }
}

// Built beside and then swapped, so that a failed build leaves the last good one.
const fresh = `dist.${process.pid}`;
try {
  const modules = [];
  for (const one of BUNDLES) modules.push(...(await bundleInto(fresh, one)));
  const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], { stdio: 'inherit' });
  bringTypes(fresh);
  writeFileSync(join(fresh, 'package.json'), '{ "type": "commonjs" }\n');
  writeFileSync(join(fresh, 'THIRD-PARTY-NOTICES.txt'), notices(modules));
  chmodSync(join(fresh, 'main.js'), 0o755);
  rmSync('dist', { recursive: true, force: true });
  renameSync(fresh, 'dist');
} catch (error) {
  rmSync(fresh, { recursive: true, force: true });
  // The compiler has printed what is wrong.
  process.exitCode = typeof error.status === 'number' ? error.status : 1;
  if (typeof error.status !== 'number') throw error;
}
