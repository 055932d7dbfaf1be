import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/config/secret.js';
import type { Answers } from '../../src/init/answers.js';
import { missingIgnores, type PlanOptions, planFiles } from '../../src/init/plan-files.js';
import { aSurvey } from './folder.js';

const ANSWERS: Answers = {
  app: 'shop',
  targets: new Map([['production', { load_balancer: 'web' }]]),
  compose: ['compose.yaml'],
  files: [],
  registry: 'none',
};
const OPTIONS: PlanOptions = { isSet: () => true };
const IGNORES = 'config/.env\nconfig/.env.*\n!config/.env*.example\n';

const plan = (answers: Partial<Answers>, files: Record<string, string> = {}, options: Partial<PlanOptions> = {}) =>
  planFiles({ ...ANSWERS, ...answers }, aSurvey({ 'compose.yaml': '', ...files }), { ...OPTIONS, ...options });

describe('the files', () => {
  it('are the configuration and the lines of .gitignore that are missing', () => {
    expect(plan({}).files.map(({ path, mode }) => [path, mode])).toEqual([
      ['config/deploy.yml', 0o644],
      ['.gitignore', 0o644],
    ]);
    expect(plan({}, { '.gitignore': IGNORES }).files.map(({ path }) => path)).toEqual(['config/deploy.yml']);
  });

  it('hold the token only if it is to be stored, for the owner alone', () => {
    const token = new Secret('dop_v1_0123');
    expect(plan({ token }).files[1]).toMatchObject({
      path: 'config/.env',
      mode: 0o600,
      text: expect.stringContaining("DO_TOKEN='dop_v1_0123'\n"),
    });
    expect(JSON.stringify(plan({}))).not.toContain('DO_TOKEN=');
  });

  it('are left where they exist, with what to add, which never is the token', () => {
    const existing = {
      'config/deploy.yml': 'app: x',
      'config/.env': '',
      '.github/workflows/deploy.yml': '',
      '.gitignore': IGNORES,
    };
    const found = plan({ token: new Secret('dop_v1_0123'), ci: 'github' }, existing, { workflow: 'name: x' });
    expect(found.files).toEqual([]);
    expect(found.left).toEqual([
      { path: 'config/deploy.yml', add: expect.arrayContaining(['compose: [compose.yaml]']) },
      { path: 'config/.env', add: ['DO_TOKEN=…'] },
      {
        path: '.github/workflows/deploy.yml',
        add: ['the deploy job of node_modules/do-deploy/examples/ci/github-tag.yml'],
      },
    ]);
  });
});

describe('.gitignore', () => {
  it.each([
    ['', ['config/.env', 'config/.env.*', '!config/.env*.example']],
    ['/config/.env\r\n', ['config/.env.*', '!config/.env*.example']],
    ['.env*\n!config/.env*.example', []],
    ['.env\n', ['config/.env.*', '!config/.env*.example']],
    ['# config/.env\nconfig/.envx', ['config/.env', 'config/.env.*', '!config/.env*.example']],
  ])('%j lacks %j', (text, lines) => {
    expect(missingIgnores(text)).toEqual(lines);
  });

  it('keeps what it has, also without a line feed at its end', () => {
    const [, file] = plan({}, { '.gitignore': 'dist\nconfig/.env' }).files;
    expect(file).toMatchObject({
      extends: 'dist\nconfig/.env',
      text: expect.stringMatching(/^dist\nconfig\/\.env\n#.*\nconfig\/\.env\.\*\n!/),
    });
  });
});

describe('what is left to do', () => {
  it('names the variables that are not set', () => {
    const targets: Answers['targets'] = new Map([
      ['production', { load_balancer: '$LOAD_BALANCER' }],
      ['staging', { droplets: ['web-1', '$SECOND'] }],
    ]);
    const isSet = (name: string) => name === 'SECOND';
    expect(plan({ targets, registry: { server: 'ghcr.io' } }, {}, { isSet }).variables).toEqual([
      'DO_TOKEN',
      'LOAD_BALANCER',
      'DOCKER_USERNAME',
      'DOCKER_PASSWORD',
    ]);
    const token = new Secret('dop_v1_0123');
    expect(plan({ registry: { digitalocean: 'acme' }, token }, {}, { isSet }).variables).toEqual([]);
    expect(plan({}, {}, { isSet: (name) => name === 'DIGITALOCEAN_ACCESS_TOKEN' }).variables).toEqual([]);
  });

  it('names files that do not exist, unless they are optional', () => {
    const targets: Answers['targets'] = new Map([
      ['production', { tag: 'a' }],
      ['staging', { tag: 'b' }],
    ]);
    const files = ['config/.env.{environment}', 'config/nginx/', '.env?', 'config/.env.common'];
    const { notes } = plan(
      { targets, compose: ['other.yaml'], files },
      { 'config/.env.staging': '', 'config/nginx/x': '' },
    );
    expect(notes).toEqual([
      'other.yaml does not exist yet: create it.',
      'config/.env.{environment} does not exist yet: create it.',
      'config/.env.common does not exist yet: create it.',
    ]);
  });

  it('says how images are built on the droplets', () => {
    expect(plan({}, { 'compose.yaml': 'services: { web: { build: . } }' }).notes).toEqual([
      expect.stringContaining('build: true'),
    ]);
  });

  it('warns of a mount that the next release would not have', () => {
    const compose = 'services: { db: { volumes: ["./data:/var/lib/postgresql/data"] } }';
    expect(plan({}, { 'compose.yaml': compose }).notes).toEqual([expect.stringContaining('shared: [data/]')]);
  });
});

describe('the workflow', () => {
  const example =
    '# CI: deploys it to production. Copy it to .github/workflows/deploy.yml.\n# Secrets: ENV_PRODUCTION\nrun: production\n';
  const workflowOf = (targets: Answers['targets']) =>
    plan({ targets, ci: 'github' }, {}, { workflow: example }).files.find(
      ({ path }) => path === '.github/workflows/deploy.yml',
    )?.text;

  it('is the example, without the advice to copy it', () => {
    expect(workflowOf(ANSWERS.targets)).toBe(example.replace(' Copy it to .github/workflows/deploy.yml.', ''));
  });

  it('deploys staging where there is no production', () => {
    expect(workflowOf(new Map([['staging', { droplet: '1' }]]))).toBe(
      '# CI: deploys it to staging.\n# Secrets: ENV_STAGING\nrun: staging\n',
    );
  });
});
