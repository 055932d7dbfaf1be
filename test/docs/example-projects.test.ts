/** The projects in examples/ load as they are, their compose files are right, and their pages say how to use them. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { understand } from '../../src/cli/parse.js';
import { COMMANDS } from '../../src/commands/index.js';
import { loadSettings } from '../../src/config/load.js';
import { copyExample, EXAMPLES, readCompose, removeAll } from '../support/example-projects.js';
import { codeBlocks, readRoot } from './markdown.js';

const root = mkdtempSync(join(tmpdir(), 'do-deploy-examples-'));
afterAll(() => removeAll(root));

const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0;

/** Of Docker Hub and the like, with a tag that is no moving one; or of the project itself. */
const PINNED = /^[a-z0-9.-]+\.[a-z]+\/[a-z0-9/-]+:(?!latest$)(?:\$\{IMAGE_TAG(?::\?[^}]*)?\}|[\w.-]+)$/;

it('there are the examples that the documentation promises', () => {
  const names = ['central-logging', 'django', 'node', 'rails-sidekiq', 'single-caddy', 'static'];
  expect(EXAMPLES.toSorted()).toEqual(names);
  for (const name of names) expect(readRoot('docs/configuration.md')).toContain(`../examples/${name}`);
});

describe.each(EXAMPLES)('examples/%s', (name) => {
  const folder = join(root, name);
  copyExample(name, folder);
  const environments = Object.keys(parse(readFileSync(join(folder, 'config/deploy.yml'), 'utf8')).environments);
  const compose = readCompose(folder);

  it.each(environments)('loads for %s, with what it names and nothing else', async (environment) => {
    const settings = await loadSettings({ cwd: folder, env: { HOME: root }, environment });
    expect(settings.app).toMatch(/^(shop|site)$/);
    expect(settings.warnings ?? []).toEqual([]);
  });

  it('has images with fixed tags, and a healthcheck for each service that publishes ports', () => {
    for (const [service, { image, ports, healthcheck, restart }] of Object.entries(compose.services)) {
      expect(String(image), service).toMatch(PINNED);
      expect(restart, service).toMatch(/^(unless-stopped|no)$/);
      if (ports !== undefined && !String(image).includes('/caddy:')) expect(healthcheck, service).toBeDefined();
    }
  });

  it('mounts only files that its release has', () => {
    const files = (parse(readFileSync(join(folder, 'config/deploy.yml'), 'utf8')).files ?? []) as string[];
    for (const { volumes = [] } of Object.values(compose.services)) {
      for (const volume of (volumes as string[]).filter((one) => one.startsWith('.'))) {
        const path = volume.split(':')[0]?.replace('../', '') ?? '';
        expect(existsSync(join(folder, path)), path).toBe(true);
        expect(
          files.some((file) => path === file.replace(/\/$/, '') || path.startsWith(file)),
          `${path} is among files:`,
        ).toBe(true);
      }
    }
  });

  it('names services in its settings that it has', () => {
    const { layers = {}, environments } = parse(readFileSync(join(folder, 'config/deploy.yml'), 'utf8'));
    const named = [
      ...(layers.migrate ? [layers.migrate.service] : []),
      ...(layers.workers?.services ?? []),
      ...Object.values(environments as Record<string, { replicas?: { services: string[] } }>).flatMap(
        ({ replicas }) => replicas?.services ?? [],
      ),
    ];
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(named));
  });

  it('has a page of 20 to 40 lines whose commands can be parsed, and an example for each file that git ignores', async () => {
    const page = readRoot(`examples/${name}/README.md`);
    expect(page.trimEnd().split('\n').length).toBeGreaterThanOrEqual(20);
    expect(page.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
    const lines = codeBlocks(page).flatMap(({ code }) =>
      [...code.matchAll(/do-deploy ([^#\n]*)/g)].map(([, words = '']) => words.trim()),
    );
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) await understand(line.split(/\s+/), COMMANDS);
    const copied = [...page.matchAll(/cp (config\/\S+\.example) /g)].map(([, path = '']) => path);
    for (const path of copied) expect(existsSync(join('examples', name, path)), path).toBe(true);
    expect(page).toMatch(/^What is tested: /m);
  });

  it.skipIf(!hasCompose)('is a project that docker compose takes', () => {
    const envFiles = readdirSync(join(folder, 'config')).filter((one) => /^\.env\.(common|production)$/.test(one));
    const args = [
      'compose',
      '-f',
      'compose/docker-compose.yml',
      ...envFiles.flatMap((one) => ['--env-file', `config/${one}`]),
    ];
    const env = { PATH: process.env.PATH, HOME: root, IMAGE_TAG: 'v1', DEPLOY_ENV: 'production' };
    const { status, stderr } = spawnSync('docker', [...args, 'config', '--quiet'], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
  });
});
