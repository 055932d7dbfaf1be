/** Layers from packages, packed and installed by npm in a project outside of this folder. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';
import { loadLayer } from '../../src/layers/load-layer.js';

vi.setConfig({ hookTimeout: 120_000 });

const body = `defineLayer({ name: 'datadog', kind: 'third-party', config: z.strictObject({ site: z.string() }), on: {} })`;
const ESM = `import { defineLayer, z } from 'do-deploy';\nexport default ${body};\n`;
const PACKAGES: Record<string, { manifest: object; file: string; text: string }> = {
  'only-import': {
    manifest: { type: 'module', exports: { '.': { import: './index.js' } } },
    file: 'index.js',
    text: ESM,
  },
  module: { manifest: { type: 'module', main: 'index.js' }, file: 'index.js', text: ESM },
  commonjs: {
    manifest: {},
    file: 'index.js',
    text: `const { defineLayer, z } = require('do-deploy');\nmodule.exports = ${body};\n`,
  },
  typescript: {
    manifest: { type: 'module', exports: './index.ts' },
    file: 'index.ts',
    text: ESM.replace('z }', 'z, type LifecyclePayload }').replace('on: {}', 'on: { deploy(_: LifecyclePayload) {} }'),
  },
  'not-built': { manifest: { main: 'dist/index.js' }, file: 'source.js', text: '' },
  needy: { manifest: {}, file: 'index.js', text: "\nmodule.exports = require('@other/thing/part');\n" },
  throwing: {
    manifest: { type: 'module', main: 'index.js' },
    file: 'index.js',
    text: "\nthrow new Error('no key');\n",
  },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'do-deploy-packages-'));
  const npm = (cwd: string, ...args: string[]) =>
    execFileSync('npm', [...args, '--offline', '--no-audit', '--no-fund'], { cwd, encoding: 'utf8', stdio: 'pipe' });
  const sources = Object.entries(PACKAGES).map(([name, { manifest, file, text }]) => {
    const source = join(folder, name);
    mkdirSync(source);
    const named = { name: `@acme/${name}`, version: '1.0.0', ...manifest };
    writeFileSync(join(source, 'package.json'), JSON.stringify(named));
    writeFileSync(join(source, file), text);
    return source;
  });
  npm(folder, 'pack', ...sources);
  mkdirSync(join(folder, 'project'));
  writeFileSync(join(folder, 'project/package.json'), '{ "private": true }');
  const tarballs = Object.keys(PACKAGES).map((name) => `../acme-${name}-1.0.0.tgz`);
  npm(join(folder, 'project'), 'install', ...tarballs);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (name: string) => loadLayer(name, join(folder, 'project'), systemClock);

describe('a package with a layer', () => {
  it.each(['only-import', 'module', 'commonjs', 'typescript'])(
    'is found where do-deploy is not installed: %s',
    async (name) => {
      expect(await load(`@acme/${name}`)).toMatchObject({ name: 'datadog', kind: 'third-party' });
    },
  );

  it('is found in a folder of a workspace', async () => {
    mkdirSync(join(folder, 'project/apps/shop'), { recursive: true });
    const inWorkspace = (name: string) => loadLayer(name, join(folder, 'project/apps/shop'), systemClock);
    expect(await inWorkspace('@acme/only-import')).toMatchObject({ name: 'datadog' });
    expect(await inWorkspace('@acme/not-built')).toMatchObject({ message: expect.stringContaining('is installed') });
  });

  it.each([
    ['none', 'is not installed', 'run `npm install --save-dev @acme/none` in the project'],
    [
      'not-built',
      'is installed, but has no entry that can be loaded: see main or exports in its package.json',
      'build it, or run `npm install --save-dev @acme/not-built@latest` in the project',
    ],
    [
      'needy',
      "cannot be loaded: Cannot find module '@other/thing/part' (line 2)",
      'run `npm install --save-dev @other/thing` in the project, or add it to the dependencies of @acme/needy',
    ],
    ['throwing', 'cannot be loaded: no key (line 2)', 'correct the package @acme/throwing'],
  ])('that cannot be loaded says what to do: %s', async (name, message, remedy) => {
    expect(await load(`@acme/${name}`)).toEqual({ message, remedy });
  });

  it('a file names the command for what it imports', async () => {
    writeFileSync(join(folder, 'project/own.ts'), "import { thing } from 'some-thing';\nexport default thing;\n");
    expect(await load('./own.ts')).toMatchObject({
      remedy: 'run `npm install --save-dev some-thing` in the project',
    });
    writeFileSync(join(folder, 'project/other.ts'), "import { thing } from './gone.js';\nexport default thing;\n");
    expect(await load('./other.ts')).toMatchObject({ remedy: 'correct ./other.ts' });
  });
});
