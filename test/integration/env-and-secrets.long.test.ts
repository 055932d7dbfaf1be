/** Defaults of `env:` and values of `secrets:` reach containers, and nothing else shows them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { buildImage } from '../../src/sandbox/docker/image.js';
import { SHOP } from '../../src/sandbox/docker/images/example-registry.js';
import type { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** With everything that a reader of env files could misunderstand. */
const PASSWORD = `zq"8417'$HOME#\\n$(id) the-password`;
const KEY = 'first line of the key\nsecond line of the key $DEF';
const SECRETS = [PASSWORD, PASSWORD.slice(-13), KEY, 'second line of the key'];

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  fleet.region.registry.push(SHOP, 'talkative', talkativeImage());
});
afterAll(() => fleet.stop());

/** A checkout with an environment `alone` of one droplet. */
async function project(name: string, settings: object): Promise<{ cwd: string; droplet: SandboxDroplet }> {
  const droplet = fleet.region.droplet(name);
  const cwd = await fleet.freshCheckout();
  const file = join(cwd, 'config/deploy.yml');
  const known = parse(await readFile(file, 'utf8'));
  await writeFile(file, stringify({ ...known, ...settings, environments: { alone: { droplet: droplet.id } } }));
  await writeFile(join(cwd, 'config/.env.alone'), 'POOL=7\n');
  await writeFile(
    join(cwd, 'compose/docker-compose.alone.yml'),
    'services: { app: { environment: [POOL, MODE, DB_PASSWORD, API_KEY] } }\n',
  );
  await writeFile(join(cwd, 'password'), `${PASSWORD}\n`);
  await writeFile(join(cwd, 'api.key'), KEY);
  return { cwd, droplet };
}

const SETTINGS = {
  env: {
    POOL: { type: 'integer', required: true, min: 1 },
    MODE: { type: 'enum', values: ['a', 'b'], default: 'a' },
    DB_PASSWORD: { required: true },
  },
  secrets: { DB_PASSWORD: { command: 'echo run >>runs; cat password' }, API_KEY: { file: 'api.key' } },
};

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Does not print the secret if it fails. */
function expectNone(text: string, where = 'the output'): void {
  const found = SECRETS.flatMap((secret, index) => (text.includes(secret) ? [index] : []));
  expect(found, `secrets found in ${where}, by their number`).toEqual([]);
}

it.concurrent('a default and secrets are in the container, and a second deploy changes nothing', async () => {
  const { cwd, droplet } = await project('web-1', SETTINGS);
  const end = await fleet.run(['alone', 'v1', '--json', '--debug'], { cwd });
  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expectNone(end.stdout + end.stderr);
  expect(readFileSync(join(cwd, 'runs'), 'utf8'), 'the command ran once').toBe('run\n');

  const app = droplet.engine.containers().find(({ spec }) => spec.imageName.includes('shop'));
  expect(app?.spec.env).toMatchObject({ POOL: '7', MODE: 'a', DB_PASSWORD: PASSWORD, API_KEY: KEY });

  const release = join(droplet.home, 'do-deploy/shop/current');
  const ownFiles = ['defaults.env', 'secrets.env'].map((name) => join(release, '.variables', name));
  for (const file of ownFiles) expect((statSync(file).mode & 0o777).toString(8), file).toBe('600');
  for (const file of filesBelow(join(droplet.home, 'do-deploy'))) {
    if (!file.endsWith('.variables/secrets.env')) expectNone(readFileSync(file, 'utf8'), file);
  }

  const again = await fleet.run(['alone', 'v1', '--json'], { cwd });
  expect(again).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  const status = await fleet.run(['status', 'alone', '--check'], { cwd });
  expect([status.code, status.stdout]).toEqual([0, expect.not.stringContaining('.variables')]);
  expect(readFileSync(join(cwd, 'runs'), 'utf8'), 'once for each deploy, and not for status').toBe('run\nrun\n');
});

it.concurrent('what is wrong is refused before anything is contacted; logs are shown without secrets', async () => {
  const { cwd, droplet } = await project('web-2', SETTINGS);
  await writeFile(join(cwd, 'config/.env.alone'), 'POOL=many-secret-pools\nTOKEN="abc$LongTail99"\n');
  const refused = await fleet.run(['alone', 'talkative'], { cwd });
  expect(refused.code).toBe(2);
  expect(refused.stderr + refused.stdout).toContain('config/.env.alone:1');
  expect(refused.stderr + refused.stdout).not.toContain('many-secret-pools');
  expect(readdirSync(droplet.home)).toEqual(readdirSync(droplet.home).filter((name) => name !== 'do-deploy'));
  expect(() => statSync(join(cwd, 'runs')), 'no command ran').toThrow('ENOENT');

  await writeFile(join(cwd, 'config/.env.alone'), 'POOL=7\nTOKEN="abc$LongTail99"\n');
  const failed = await fleet.run(['alone', 'talkative', '--debug'], { cwd });
  expect(failed.code).toBe(1);
  const output = failed.stdout + failed.stderr;
  expect(output).toContain('config/.env.alone:2: the value of TOKEN has a dollar sign');
  expect(output).toContain('my password is [secret], my key is [secret]');
  expect(output).not.toContain('LongTail99');
  expectNone(output);

  // On another machine, where the secrets are not.
  const { cwd: elsewhere } = await project('web-2', { secrets: { DB_PASSWORD: { command: 'touch ran; exit 9' } } });
  await rm(join(elsewhere, 'password'));
  await rm(join(elsewhere, 'api.key'));
  const healed = await fleet.run(['heal', 'alone', '--json', '--debug'], { cwd: elsewhere });
  expect(healed.stdout).toContain('my password is [secret], my key is [secret]');
  expectNone(healed.stdout + healed.stderr);
  expect(() => statSync(join(elsewhere, 'ran'))).toThrow('ENOENT');
});

/** Logs secrets and exits. */
function talkativeImage() {
  return buildImage({
    content: 'a shop that tells its secrets',
    env: ['SHOP_VERSION=talkative'],
    program: (container) => {
      const { DB_PASSWORD: password, API_KEY: key } = container.env;
      container.log(`my password is ${password}, my key is ${key}`, 'stderr');
      container.exit(1);
    },
  });
}
