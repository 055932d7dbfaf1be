import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CI, CI_NAMES } from '../../src/init/ci.js';
import { createProject, load } from '../config/project-folder.js';
import { type CommandLineOptions, runCommandLine } from '../support/command-line.js';

const COMPOSE = { 'compose.yaml': 'services: { web: { image: "a/b:$IMAGE_TAG" } }\n' };
const ALL = ['--production', 'load_balancer=web', '--registry', 'none'];
const ENTER = '\r';

async function init(
  words: string[],
  files: Record<string, string> = COMPOSE,
  options: Partial<CommandLineOptions> = {},
) {
  const root = createProject(files);
  const end = await runCommandLine(['init', ...words], { cwd: root, ...options });
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return { ...end, root, paths: paths.filter((path) => !statSync(join(root, path)).isDirectory()).sort() };
}

const read = (root: string, path: string) => readFileSync(join(root, path), 'utf8');

describe('without a terminal', () => {
  it('writes what a deploy needs, and says what is missing and what comes next', async () => {
    const { exit, stdout, stderr, root, paths } = await init(['--app', 'shop', ...ALL]);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'config/deploy.yml: written',
      '.gitignore: written',
      'To set in config/.env or in the environment: DO_TOKEN',
      'Next: do-deploy doctor production',
      '',
    ]);
    expect(paths).toEqual(['.gitignore', 'compose.yaml', 'config/deploy.yml']);
    expect(await load(root, { environment: 'production' })).toMatchObject({
      app: 'shop',
      composeFiles: ['compose.yaml'],
      target: { kind: 'load_balancer', ref: 'web' },
    });
  });

  it('takes the name of the folder for the app', async () => {
    const { root } = await init(ALL, { 'My Shop!/compose.yaml': COMPOSE['compose.yaml'] });
    const end = await runCommandLine(['init', ...ALL], { cwd: join(root, 'My Shop!') });
    expect(end).toMatchObject({ exit: 0 });
    expect(read(root, 'My Shop!/config/deploy.yml')).toMatch(/^app: myshop /);
  });

  it.each<[string, string[], string, string]>([
    [
      'an environment and a registry',
      [],
      '--production, --registry',
      'do-deploy init --production load_balancer=NAME --registry none',
    ],
    ['a registry', ['--staging', 'droplet=1'], '--registry', 'do-deploy init --staging droplet=1 --registry none'],
  ])('names %s that is missing', async (_, words, missing, instead) => {
    const { exit, stderr, paths } = await init(words);
    expect(exit).toBe(2);
    expect(stderr).toContain(`Missing ${missing}: there is no terminal to ask at.`);
    expect(stderr).toContain(instead);
    expect(paths).toEqual(['compose.yaml']);
  });

  it('names the compose file if there is none', async () => {
    expect(await init(ALL, {})).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('Missing --compose'),
      paths: [],
    });
    const { stdout } = await init([...ALL, '--compose', 'deploy/app.yaml'], {});
    expect(stdout).toContain('deploy/app.yaml does not exist yet: create it.');
  });

  it.each<[string[], string, string]>([
    [['--production', 'web'], '--production: expected load_balancer=NAME', '--production load_balancer=web'],
    [['--production', 'droplet=web'], "--production: expected a droplet's id", 'droplet=3164494'],
    [['--staging', 'droplets=a,b_c'], '--staging: expected a droplet', 'droplets=web-1,web-2'],
    [['--staging', 'tag=do-deploy:x'], '--staging: expected it not to begin with', 'tag=workers'],
    [['--app', 'My App'], '--app: expected lower-case letters', '--app shop'],
    [['--compose', '../compose.yaml'], '../compose.yaml is outside the project', '--compose compose.yaml'],
    [['--files', 'config/my .env'], 'config/my .env has a blank', '--files config/.env.production'],
    [['--registry', 'ghcr.io/acme'], '--registry: expected none', '--registry ghcr.io'],
    [['--registry', 'digitalocean=A_B'], '--registry: expected the name of a registry', 'digitalocean=acme'],
    [['--ci', 'travis'], '--ci: expected one of', '--ci github'],
    [['--config', 'other.yml', ...ALL], 'neither --config nor --set', 'do-deploy init --help'],
  ])('refuses %j', async (words, message, instead) => {
    const { exit, stderr, paths } = await init(words);
    expect({ exit, paths }).toEqual({ exit: 2, paths: ['compose.yaml'] });
    expect(stderr).toContain(message);
    expect(stderr).toContain(instead);
  });

  it('leaves what exists, byte by byte, and says what to add', async () => {
    const files = {
      ...COMPOSE,
      'config/deploy.yml': 'app: mine\n',
      '.github/workflows/deploy.yml': 'mine',
      '.gitignore': 'dist',
    };
    const { exit, stdout, root } = await init([...ALL, '--ci', 'github'], files);
    expect(exit).toBe(0);
    expect(read(root, 'config/deploy.yml')).toBe('app: mine\n');
    expect(read(root, '.github/workflows/deploy.yml')).toBe('mine');
    expect(read(root, '.gitignore')).toMatch(/^dist\n#.*\nconfig\/\.env\n/);
    expect(stdout).toContain('config/deploy.yml: exists, and is left as it is. To add:\n  app: ');
    expect(stdout).toContain('\n  environments:\n    production: { load_balancer: web }\n');
    expect(stdout).toContain('  the deploy job of node_modules/do-deploy/examples/ci/github-tag.yml\n');
    const again = await runCommandLine(['init', ...ALL, '--json'], { cwd: root });
    expect(JSON.parse(again.stdout)).toMatchObject({
      type: 'init',
      files: [{ path: 'config/deploy.yml', action: 'left' }],
    });
  });

  it.each(CI_NAMES)('writes the workflow for %s, where that looks for it', async (name) => {
    const { root, stdout } = await init([...ALL, '--ci', name]);
    expect(stdout).toContain(`${CI[name].path}: written`);
    const text = read(root, CI[name].path);
    expect(text).toContain('npx do-deploy production');
    expect(text).not.toContain('Copy it to');
  });

  it('never contacts anything, and shows no value of config/.env', async () => {
    const files = { ...COMPOSE, 'config/.env': 'DO_TOKEN=dop_v1_4711\nDIGITALOCEAN_API_URL=http://127.0.0.1:9/v2\n' };
    const { stdout, stderr, exit } = await init(ALL, files);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).not.toContain('4711');
    expect(stdout).not.toContain('To set');
  });
});

describe('at a terminal', () => {
  const env = { NO_COLOR: '1' };

  it('asks, and writes the token only for its owner and only after a yes', async () => {
    const keys = [
      ['called', ENTER],
      ['environments', ENTER],
      ['token', `dop_v1_4711${ENTER}`],
      ['Write the token', 'y'],
      ['droplets of production', `\x1b[B\x1b[B${ENTER}`],
      ['the tag', `workers${ENTER}`],
      ['images', ENTER],
    ] as const;
    const { exit, stdout, stderr, root } = await init([], COMPOSE, { isTerminal: true, env, keys });
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).not.toContain('4711');
    expect(read(root, 'config/.env')).toContain("DO_TOKEN='dop_v1_4711'\n");
    expect(statSync(join(root, 'config/.env')).mode & 0o777).toBe(0o600);
    expect(await load(root, { environment: 'production', env: { DO_TOKEN: undefined } })).toMatchObject({
      target: { kind: 'tag', tag: 'workers' },
    });
  });

  it.each([
    ['the first question', [['called', '\x03']]],
    ['the last question', [['images', '\x03']]],
  ] as const)('writes nothing after Ctrl-C at %s', async (_, keys) => {
    const given = keys[0][0] === 'images' ? ['--app', 'shop', '--production', 'tag=a'] : [];
    const token = { ...env, DO_TOKEN: 'dop_v1_4711' };
    const { exit, stderr, paths, root } = await init(given, COMPOSE, { isTerminal: true, env: token, keys });
    expect({ exit, paths }).toEqual({ exit: 130, paths: ['compose.yaml'] });
    expect(stderr).toContain('Interrupted before anything was written.');
    expect(existsSync(join(root, 'config'))).toBe(false);
  });

  it('asks nothing if the options answer everything', async () => {
    const { exit, stdout } = await init(ALL, COMPOSE, { isTerminal: true, env });
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^config\/deploy.yml: written\n/);
  });
});
