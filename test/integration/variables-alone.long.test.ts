/** Without config/deploy.yml, a few environment variables and files with the usual names are enough. */
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const REGISTRY = { username: 'deployer', password: 'pass-4711' };

let fleet: SandboxFleet;
let cwd: string;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2, registryCredentials: REGISTRY });
  cwd = await projectWithoutSettings();
});
afterAll(() => fleet.stop());

it('deploys staging by its id and production behind the only balancer; with several, one must be chosen', async () => {
  const staging = await run('staging', 'v1');
  expect(staging).toMatchObject({ code: 0, result: { outcome: 'succeeded', rows: [{ name: 'staging' }] } });

  const production = await run('production', 'v1', '--yes');
  expect(production).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(production.result?.rows.map(({ outcome, rotation, health }) => [outcome, rotation, health])).toEqual([
    ['deployed', 'in', 'healthy'],
    ['deployed', 'in', 'healthy'],
  ]);
  expect(await (await fetch(fleet.region.balancerUrl)).text()).toBe('shop v1\n');

  fleet.region.world.addBalancer({ name: 'other', dropletIds: [] });
  const refused = await run('production', 'v2', '--yes');
  expect(refused).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code: 'balancer-ambiguous' } } });
  expect(refused.result?.error?.message).toBe('2 load balancers are in this account.');
  expect(refused.result?.error?.hint).toMatch(
    /^Name one by its id, as load_balancer: in the configuration file or in the variable LOAD_BALANCER: "web" \(.*\), "other" \(.*\)\.$/,
  );
  const chosen = await run('production', 'v1', '--yes', { LOAD_BALANCER: 'web' });
  expect(chosen).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
});

function run(...words: (string | Record<string, string>)[]) {
  const { region } = fleet;
  const env = {
    HOME: cwd,
    DO_TOKEN: region.api.token,
    DIGITALOCEAN_API_URL: region.api.url,
    STAGING_DROPLET_ID: String(region.stagingDropletId),
    DOCKER_USERNAME: REGISTRY.username,
    DOCKER_PASSWORD: REGISTRY.password,
  };
  const args = words.filter((word) => typeof word === 'string');
  const more = words.filter((word) => typeof word !== 'string');
  return fleet.run([...args, '--json'], { cwd, env: Object.assign(env, ...more) });
}

/** The example's files; like on a person's machine, ~/.ssh/config knows the droplets. */
async function projectWithoutSettings(): Promise<string> {
  const folder = await fleet.freshCheckout();
  for (const file of ['config/deploy.yml', 'config/deploy.first.yml', 'config/.env']) await rm(join(folder, file));
  await rm(join(folder, 'scripts'), { recursive: true });
  await cp(join(folder, 'compose/docker-compose.sandbox.yml'), join(folder, 'compose/docker-compose.production.yml'));
  await writeFile(join(folder, 'config/.env.production'), 'SECRET_KEY=not-a-secret-in-the-sandbox\n');
  await mkdir(join(folder, '.ssh'));
  await cp(fleet.region.sshConfigPath, join(folder, '.ssh/config'));
  return folder;
}
