/** What the README and the pages it links to say is true. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { TOKEN_SCOPES } from '../../src/adapters/digitalocean/call.js';
import { understand } from '../../src/cli/parse.js';
import { COMMANDS } from '../../src/commands/index.js';
import { loadSettings } from '../../src/config/load.js';
import { codeBlocks, readRoot, section } from './markdown.js';

const README = readRoot('README.md');
const PAGES = new Map(
  ['README.md', 'CONTRIBUTING.md', ...readdirSync('docs').map((name) => `docs/${name}`)].map((path) => [
    path,
    readRoot(path),
  ]),
);
const { scripts } = JSON.parse(readRoot('package.json')) as { scripts: Record<string, string> };
const blocks = codeBlocks(README);

it('fits on three screens: 180 lines', () => {
  expect(README.split('\n').length).toBeLessThanOrEqual(180);
});

it('shows only shell lines that another test runs or parses', () => {
  const lines = blocks.flatMap(({ language, code }) =>
    language === 'sh' || language === 'console' ? code.trim().split('\n') : [],
  );
  const known = /^((\$ |npx )?do-deploy [^&|;]+|npm ci && npm run demo|npm test|cd \.do-deploy\/sandbox\/project)$/;
  expect(lines.length).toBeGreaterThan(8);
  expect(lines.filter((line) => !known.test(line))).toEqual([]);
});

describe('the two commands', () => {
  it('are scripts of package.json, after npm ci', () => {
    const named = Object.fromEntries(blocks.flatMap(({ name, code }) => (name ? [[name, code.trim()]] : [])));
    expect(named).toEqual({ demo: 'npm ci && npm run demo', test: 'npm test' });
    expect(scripts).toMatchObject({ demo: 'node dist/main.js sandbox demo', test: 'npm run check' });
  });

  it('and every other npm script that a page names exists', () => {
    const named = [...PAGES.values()].flatMap((text) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name),
    );
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  });
});

describe('the first deploy', () => {
  const setUp = codeBlocks(section(README, 'First deploy on a real account'));
  const [deployYml, variables] = ['yaml', 'ini'].map(
    (language) => setUp.find((block) => block.language === language)?.code ?? '',
  );
  const root = mkdtempSync(join(tmpdir(), 'do-deploy-readme-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const write = (path: string, text = '') => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  it('loads with only the variables and files that it names', async () => {
    write('config/deploy.yml', deployYml);
    write('config/.env', variables?.replaceAll('…', '0123'));
    write('compose/docker-compose.yml');
    write('config/nginx/nginx.conf');
    for (const name of ['common', 'staging', 'production']) write(`config/.env.${name}`);
    const load = (environment: string) => loadSettings({ cwd: root, env: { HOME: root }, environment });
    expect((await load('staging')).registry).toMatchObject({ server: 'docker.io', username: 'ann' });
    expect(await load('staging')).toMatchObject({ app: 'shop', target: { kind: 'droplet', id: 412345678 } });
    expect(await load('production')).toMatchObject({ app: 'shop', target: { kind: 'load_balancer', ref: 'web' } });
  });

  it('names the scopes that the error about a refused token names', () => {
    const text = section(README, 'First deploy on a real account').replaceAll(/\s+/g, ' ');
    // `tag:create`, `read` and `delete` name three scopes.
    for (const [resource = '', verb] of TOKEN_SCOPES.map((scope) => scope.split(':'))) {
      expect(text, `${resource}:${verb}`).toMatch(new RegExp(`\`${resource}:[^;.(]*\\b${verb}\``));
    }
  });
});

it('every command line on the pages can be parsed', async () => {
  const names = ['ENVIRONMENT', 'production', 'staging', 'sandbox', ...Object.keys(COMMANDS)].join('|');
  const lines = [...PAGES.values()]
    .flatMap((page) => [...page.matchAll(/do-deploy ((?:[a-zA-Z][\w.-]*|--[a-z-]+)(?: (?:[\w./-]+|\[\w+\]))*)/g)])
    .map(([, words = '']) =>
      words
        .replaceAll(/[[\].]+( |$)/g, '$1')
        .replaceAll('[', '')
        .replace('SHELL', 'bash')
        .replace('PORT', '3000'),
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

describe('the CI examples', () => {
  const [deploy = '', gitlab = ''] = codeBlocks(readRoot('docs/ci.md')).map(({ code }) => code);
  const workflows = readdirSync('.github/workflows').map((name) => readRoot(`.github/workflows/${name}`));
  const nightly = readRoot('examples/ci/github-nightly.yml');
  interface Step {
    run?: string;
    uses?: string;
    env?: Record<string, string>;
  }
  const jobsOf = (text: string) => Object.values(parse(text).jobs) as { steps: Step[]; env?: object }[];
  const stepsOf = (text: string) => jobsOf(text).flatMap(({ steps }) => steps);

  it('are YAML', () => {
    expect(gitlab).toContain('resource_group');
    for (const text of [deploy, gitlab, nightly, ...workflows]) {
      expect(parseAllDocuments(text).flatMap(({ errors }) => errors)).toEqual([]);
    }
  });

  it.each([
    ['docs/ci.md', deploy],
    ['examples/ci/github-nightly.yml', nightly],
  ])('%s installs first, and gives the token and the key only to the steps that need them', (_, text) => {
    const steps = stepsOf(text);
    const runs = steps.map(({ run = '' }) => run);
    expect(runs.indexOf('npm ci')).toBeLessThan(runs.findIndex((run) => run.includes('npx do-deploy')));
    expect(runs).toContain('npm ci');
    expect(jobsOf(text).flatMap(({ env }) => env ?? [])).toEqual([]);
    for (const { run = '', env = {} } of steps) {
      const needed = run.includes('do-deploy') ? ['DO_TOKEN', 'SSH_PRIVATE_KEY', 'LOAD_BALANCER'] : [];
      expect(Object.keys(env)).toEqual(expect.arrayContaining(needed));
      if (!run.includes('do-deploy')) expect(Object.keys(env)).not.toContain('DO_TOKEN');
    }
  });

  it('let no text from outside into a script, and pin every action by its commit', () => {
    for (const step of [deploy, nightly, ...workflows].flatMap(stepsOf)) {
      if (step.run !== undefined) expect(step.run).not.toContain('${{');
      if (step.uses !== undefined) expect(step.uses).toMatch(/^[\w/-]+@[0-9a-f]{40}$/);
    }
  });

  it('GitLab installs first, too, and quotes the tag', () => {
    for (const job of Object.values(parse(gitlab)) as { script: string[] }[]) expect(job.script[0]).toBe('npm ci');
    expect(gitlab).toContain('npx do-deploy production "$CI_COMMIT_TAG"');
  });
});
