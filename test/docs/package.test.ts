/** What `npm pack` puts into the tarball, and that it needs nothing else. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readRoot } from './markdown.js';

const manifest = JSON.parse(readRoot('package.json'));
const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
const paths = (Object.values(JSON.parse(packed))[0] as { files: { path: string }[] }).files.map(({ path }) => path);
const chunks = readdirSync('dist').filter((name) => name.endsWith('.js'));

describe('the tarball', () => {
  it('holds the command, its documentation, its examples and the licences of what is bundled', () => {
    const pages = readdirSync('docs').map((name) => `docs/${name}`);
    expect(paths).toEqual(
      expect.arrayContaining([
        ...['dist/main.js', 'dist/main.js.map', 'dist/THIRD-PARTY-NOTICES.txt', 'LICENSE', 'README.md', 'CHANGELOG.md'],
        ...['scripts/start-up.sh', 'compose/docker-compose.yml', 'config/nginx/nginx.conf', 'config/.env.example'],
        ...pages,
      ]),
    );
  });

  it('holds no sources, no tests and no settings of this folder', () => {
    expect(
      paths.filter((path) => /^(src|test|bench)\/|node_modules|(^|\/)\.env(\.(?!example)\w+)?$/.test(path)),
    ).toEqual([]);
  });

  it('holds every file that package.json names', () => {
    const { bin, exports, types } = manifest;
    const named = [bin['do-deploy'], types, ...Object.values(exports['.'])].map((path) => path.replace('./', ''));
    expect(named.filter((path) => !paths.includes(path))).toEqual([]);
  });

  it('needs no other package and no build step', () => {
    expect(manifest).not.toHaveProperty('dependencies');
    expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$/.test(name))).toEqual([]);
    const imported = new Set(chunks.flatMap(importsOf));
    expect(imported).toContain('node:fs');
    expect([...imported].filter((name) => !isBuiltin(name))).toEqual([]);
  });

  it('has a source map for every chunk with code', () => {
    const mapped = chunks.filter((name) => /\/\/# sourceMappingURL=/.test(readFileSync(`dist/${name}`, 'utf8')));
    expect(mapped.filter((name) => !paths.includes(`dist/${name}.map`))).toEqual([]);
    expect(mapped).toContain('main.js');
  });

  it('names every bundled package, with its licence', () => {
    const notices = readRoot('dist/THIRD-PARTY-NOTICES.txt');
    for (const name of [
      'dots-wrapper',
      'node-ssh',
      'ssh2',
      'p-retry',
      'yargs-parser',
      'kleur',
      'dotenv',
      'axios',
      'zod',
      'nodemailer',
      '@clack/prompts',
    ]) {
      expect(notices).toMatch(new RegExp(`^${name} [\\d.]+: [\\w.-]+$`, 'm'));
    }
  });
});

describe('an installed package', () => {
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-package-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const installed = join(root, 'node_modules/do-deploy');
  for (const path of paths) cpSync(path, join(installed, path));
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(installed, manifest.bin['do-deploy']), ...args], { cwd: root, encoding: 'utf8' });

  it('runs without any other package', () => {
    expect(run('--version')).toMatchObject({ status: 0, stdout: `${manifest.version}\n`, stderr: '' });
    expect(run('status', '--help')).toMatchObject({ status: 0, stderr: '' });
    // Loads what reads the settings.
    expect(run('status', 'production')).toMatchObject({ status: 2, stderr: expect.stringContaining('DO_TOKEN') });
  });

  it('can be imported, with types for what --json writes', { timeout: 120_000 }, () => {
    mkdirSync(join(root, 'src'));
    const program = `import type { DeployEvent } from 'do-deploy';
      export const droplets = (event: DeployEvent): number =>
        event.type === 'rollout-finished' ? event.result.rows.length : 0;
      // @ts-expect-error: there is no such event.
      export const wrong = (event: DeployEvent) => event.type === 'no-such-event';`;
    writeFileSync(join(root, 'src/reader.ts'), program);
    writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
    const tsc = resolve('node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', ''];
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...options, 'src/reader.ts'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(existsSync(join(installed, 'dist/index.d.ts'))).toBe(true);
  });
});

/** Module names in `require()`, except those of other chunks. */
function importsOf(chunk: string): string[] {
  const code = readFileSync(`dist/${chunk}`, 'utf8');
  const found = [...code.matchAll(/\brequire\(\s*["'`]([^"'`]+)["'`]\s*\)/g)].map(([, name = '']) => name);
  return found.filter((name) => !chunks.includes(name.slice(2)));
}
