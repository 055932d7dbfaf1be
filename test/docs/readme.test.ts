/** What the README says is what there is. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { TOKEN_SCOPES } from '../../src/adapters/digitalocean/call.js';
import { understand } from '../../src/cli/parse.js';
import { COMMANDS } from '../../src/commands/index.js';
import { loadSettings } from '../../src/config/load.js';
import { configurationReference } from '../../src/config/reference.js';
import { codeBlocks, readRoot, section } from './markdown.js';

const README = readRoot('README.md');
const { scripts } = JSON.parse(readRoot('package.json')) as { scripts: Record<string, string> };
const blocks = codeBlocks(README);

describe('the two commands', () => {
  it('are scripts of package.json, after npm ci', () => {
    const named = Object.fromEntries(blocks.flatMap(({ name, code }) => (name ? [[name, code.trim()]] : [])));
    expect(named).toEqual({ demo: 'npm ci && npm run demo', test: 'npm test' });
    expect(scripts).toMatchObject({ demo: 'node dist/main.js sandbox demo', test: 'npm run check' });
  });

  it('and every other npm script that is named exists', () => {
    const pages = [README, ...['CONTRIBUTING.md', 'docs/safety.md', 'docs/performance.md'].map(readRoot)];
    const named = pages.flatMap((text) => [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name));
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

describe('the set-up', () => {
  const setUp = codeBlocks(section(README, 'Set-up for a real account, in five minutes'));
  const [deployYml, variables] = ['yaml', 'ini'].map(
    (language) => setUp.find((block) => block.language === language)?.code ?? '',
  );
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-readme-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text = '') => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  it('loads, with the variables and the files that it names and nothing else', () => {
    write('config/deploy.yml', deployYml);
    write('config/.env', variables?.replaceAll('…', '0123'));
    write('compose/docker-compose.yml');
    write('config/nginx/nginx.conf');
    for (const name of ['common', 'staging', 'production']) write(`config/.env.${name}`);
    const load = (environment: string) => loadSettings({ cwd: root, env: { HOME: root }, environment });
    expect(load('staging').registry).toMatchObject({ server: 'docker.io', username: 'ann' });
    expect(load('staging')).toMatchObject({ app: 'shop', target: { kind: 'droplet', id: 412345678 } });
    expect(load('production')).toMatchObject({ app: 'shop', target: { kind: 'load_balancer', ref: 'web' } });
  });

  it('names the scopes that a refused token is told to have', () => {
    const text = section(README, 'Set-up for a real account, in five minutes').replaceAll(/\s+/g, ' ');
    // `tag:create`, `read` and `delete` stand for three.
    for (const [resource = '', verb] of TOKEN_SCOPES.map((scope) => scope.split(':'))) {
      expect(text, `${resource}:${verb}`).toMatch(new RegExp(`\`${resource}:[^;.(]*\\b${verb}\``));
    }
  });
});

it('every command line that is shown can be parsed', async () => {
  const names = ['ENVIRONMENT', 'production', 'staging', 'sandbox', ...Object.keys(COMMANDS)].join('|');
  const lines = [README, readRoot('docs/safety.md'), readRoot('docs/events.md')]
    .flatMap((page) => [...page.matchAll(/do-deploy ((?:[a-zA-Z][\w.-]*|--[a-z-]+)(?: (?:[\w.-]+|\[\w+\]))*)/g)])
    .map(([, words = '']) =>
      words
        .replaceAll(/[[\].]+( |$)/g, '$1')
        .replaceAll('[', '')
        .replace('SHELL', 'bash'),
    )
    .filter((words) => new RegExp(`^(${names})\\b`).test(words));
  expect(lines.length).toBeGreaterThan(20);
  const failures = lines.map((words) =>
    understand(words.split(' '), COMMANDS).then(
      () => [],
      (error) => [`${words}: ${error}`],
    ),
  );
  expect((await Promise.all(failures)).flat()).toEqual([]);
});

describe('the configuration reference', () => {
  it('is made from the schema (vitest -u puts it there)', async () => {
    const current = README.replace(
      /(<!-- reference: begin -->\n)[\s\S]*(<!-- reference: end -->)/,
      (_, begin, end) => `${begin}${configurationReference()}${end}`,
    );
    expect(current).toContain('| `rollout.batch` |');
    await expect(current).toMatchFileSnapshot(new URL('../../README.md', import.meta.url).pathname);
  });
});

describe('the CI examples', () => {
  const ci = codeBlocks(section(README, 'In CI')).map(({ code }) => code);
  const files = ['.github/workflows/ci.yml', '.github/workflows/nightly.yml.example'].map(readRoot);

  it('are YAML', () => {
    expect(ci).toHaveLength(2);
    for (const text of [...ci, ...files]) {
      expect(parseAllDocuments(text).flatMap(({ errors }) => errors)).toEqual([]);
    }
  });

  it('install before they deploy, and each job has the token and the key', () => {
    const nightly = [ci[0], files[1]].map((text) => parse(text ?? '').jobs.deploy);
    for (const job of nightly) {
      const steps = (job.steps as { run?: string }[]).flatMap(({ run }) => run ?? []);
      expect(steps.indexOf('npm ci')).toBeLessThan(steps.findIndex((run) => run.includes('npx do-deploy')));
      expect(steps).toContain('npm ci');
      expect(Object.keys(job.env)).toEqual(expect.arrayContaining(['DO_TOKEN', 'SSH_PRIVATE_KEY', 'LOAD_BALANCER']));
    }
    expect(parse(ci[1] ?? '').deploy.script[0]).toBe('npm ci');
  });
});
