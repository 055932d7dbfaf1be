/** Secrets are found only in env files for their owner, during a deploy and afterwards. */
import childProcess from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { buildImage } from '../../src/sandbox/docker/image.js';
import { SHOP } from '../../src/sandbox/docker/images/example-registry.js';
import type { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import { type CommandEnd, SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const TOKEN = 'dop_v1_0f1e2d3c4b5a69788796a5b4c3d2e1f0';
/** Contains everything that a shell could misinterpret. */
const REGISTRY = { username: 'deployer', password: `it's "$HOME" \\n; \`id\` & pässwörd` };
const SECRET_KEY = 'zq-8417-the-shops-own-secret';
const DATABASE_PASSWORD = 'db-0815-pass';
const BASIC_AUTH = Buffer.from(`${REGISTRY.username}:${REGISTRY.password}`).toString('base64');
/** A part without quotes, which is unchanged however a shell quotes the value. */
const PART = 'pässwörd';
const OUTSIDE_ENV_FILES = [TOKEN, REGISTRY.password, PART, BASIC_AUTH];
const ALL = [...OUTSIDE_ENV_FILES, SECRET_KEY, DATABASE_PASSWORD];

/** Every command line that this process starts, and that the droplets run over SSH. */
const commandLines: string[] = [];
const { spawn } = childProcess;

let fleet: SandboxFleet;
beforeAll(async () => {
  childProcess.spawn = ((command: string, args: string[], options: object) => {
    commandLines.push([command, ...args].join(' '));
    return spawn(command, args, options);
  }) as typeof spawn;
  syncBuiltinESMExports();
  fleet = await SandboxFleet.start({ droplets: 3, token: TOKEN, registryCredentials: REGISTRY });
  fleet.region.registry.push(SHOP, 'talkative', talkativeImage());
});
afterAll(async () => {
  childProcess.spawn = spawn;
  syncBuiltinESMExports();
  await fleet.stop();
});

it.concurrent('a registry login leaves no credential on the droplet or in a command line', async () => {
  const { droplet, cwd } = await alone('web-1');
  writeDownDockerCalls(droplet);
  const end = await deploy(cwd, 'v1', '--json', '--debug');
  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expectNone(ALL, end.stdout + end.stderr);

  expect(commandLines.join('\n')).toContain('start-up.sh pull');
  expectNone(ALL, commandLines.join('\n'));
  const files = filesBelow(droplet.folder);
  const calls = files.find((file) => file.endsWith('/docker-calls'));
  expect(calls && readFileSync(calls, 'utf8')).toContain('docker login --username deployer --password-stdin docker.io');
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const isEnvFile = /\/config\/\.env\.[a-z]+$/.test(file);
    expectNone(isEnvFile ? OUTSIDE_ENV_FILES : ALL, text, file);
    if (isEnvFile) expect((statSync(file).mode & 0o777).toString(8), file).toBe('600');
  }
  const app = join(droplet.home, 'do-deploy/shop');
  expect((statSync(app).mode & 0o777).toString(8)).toBe('700');
  expect(readFileSync(join(app, 'current/config/.env.alone'), 'utf8'), 'they did arrive').toContain(SECRET_KEY);
});

it.concurrent('the logs of a failing container are shown without secrets', async () => {
  const { cwd } = await alone('web-2');
  for (const flags of [['--debug'], ['--json', '--debug']]) {
    const end = await deploy(cwd, 'talkative', ...flags);
    expect(end.code).toBe(1);
    expect(end.stdout).toContain('my key is [secret], the database is at [secret]');
    expectNone(ALL, end.stdout + end.stderr);
  }
});

it.concurrent('a refused registry login is reported without the password', async () => {
  const { droplet, cwd } = await alone('web-3');
  const password = 'not-the-password';
  const end = await deploy(cwd, 'v1', '--json', { DOCKER_PASSWORD: password });
  expect(end).toMatchObject({ code: 2, result: { outcome: 'failed', summary: 'Nothing was changed in rotation.' } });
  expect(end.result?.error).toMatchObject({
    code: 'registry-login',
    message:
      'The registry docker.io refused the login as deployer: Error response from daemon: Get "https://registry-1.docker.io/v2/": unauthorized: incorrect username or password',
    hint: 'Check registry: in config/deploy.yml and the variables that it names.',
    droplet: 'web-3',
  });
  expectNone([...ALL, password], end.stdout + end.stderr);
  expect(droplet.engine.containers()).toEqual([]);
  for (const file of filesBelow(droplet.folder)) expectNone([...ALL, password], readFileSync(file, 'utf8'), file);
});

function deploy(cwd: string, release: string, ...words: (string | Record<string, string>)[]): Promise<CommandEnd> {
  const flags = words.filter((word) => typeof word === 'string');
  const env = Object.assign({}, ...words.filter((word) => typeof word !== 'string'));
  const credentials = { DOCKER_USERNAME: REGISTRY.username, DOCKER_PASSWORD: REGISTRY.password };
  return fleet.run(['alone', release, ...flags], { cwd, env: { ...credentials, ...env } });
}

/** A checkout with an environment `alone` of one droplet, and secrets in its env files. */
async function alone(name: string): Promise<{ droplet: SandboxDroplet; cwd: string }> {
  const droplet = fleet.region.droplet(name);
  const cwd = await fleet.freshCheckout();
  await writeFile(join(cwd, 'config/.env.common'), `DATABASE_URL=postgres://shop:${DATABASE_PASSWORD}@10.0.0.5/shop\n`);
  await writeFile(join(cwd, 'config/.env.alone'), `SECRET_KEY=${SECRET_KEY}\n`);
  const file = join(cwd, 'config/deploy.yml');
  const settings = parse(await readFile(file, 'utf8'));
  const registry = { username: '$DOCKER_USERNAME', password: '$DOCKER_PASSWORD' };
  await writeFile(file, stringify({ ...settings, registry, environments: { alone: { droplet: droplet.id } } }));
  return { droplet, cwd };
}

/** Records every call of docker on the droplet in a file there, with arguments and environment. */
function writeDownDockerCalls({ folder }: SandboxDroplet): void {
  const bin = join(folder, 'bin');
  mkdirSync(join(bin, 'real'));
  renameSync(join(bin, 'docker'), join(bin, 'real/docker'));
  const script = `#!/bin/sh\n{ echo "docker $*"; env; } >>"${folder}/docker-calls"\nexec "${bin}/real/docker" "$@"\n`;
  writeFileSync(join(bin, 'docker'), script);
  chmodSync(join(bin, 'docker'), 0o755);
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Does not print the secret if it fails. */
function expectNone(secrets: readonly string[], text: string, where = 'the output'): void {
  const found = secrets.flatMap((secret, index) => (text.includes(secret) ? [index] : []));
  expect(found, `secrets found in ${where}, by their number`).toEqual([]);
}

/** Logs secrets and exits. */
function talkativeImage() {
  return buildImage({
    content: 'a talkative shop',
    env: ['SHOP_VERSION=talkative'],
    program: (container) => {
      const { SECRET_KEY: key, DATABASE_URL: url } = container.env;
      container.log(`my key is ${key}, the database is at ${url}`, 'stderr');
      container.exit(1);
    },
  });
}
