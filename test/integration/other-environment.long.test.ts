/** A droplet created from staging's image behind another environment's balancer, and two environments on one droplet. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
  expect(await fleet.run(['deploy', 'staging', 'v2', '--json'])).toMatchObject({ code: 0 });
});
afterAll(() => fleet.stop());

const tagsOf = (stdout: string) =>
  stdout
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).imageTag);

it('is reported, not changed, and does not affect the other droplets', async () => {
  const { region } = fleet;
  region.world.addToBalancer(region.balancerId, [region.stagingDropletId]);

  const check = await fleet.run(['status', 'sandbox', '--check', '--json']);
  expect(check.code).toBe(4);
  expect(check.events).toMatchObject([
    {
      release: { imageTag: 'v1' },
      differences: [{ droplet: 'staging', kind: 'other-environment', message: 'runs shop for staging' }],
    },
  ]);
  const history = await fleet.run(['history', 'sandbox', '--json']);
  expect(tagsOf(history.stdout)).toEqual(['v1']);

  const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
  expect(adopted).toMatchObject({ code: 0, result: { outcome: 'skipped', release: { imageTag: 'v1' } } });
  const notices = adopted.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  expect(notices).toEqual(['staging runs shop for staging and stays as it is.']);

  for (const command of [
    ['deploy', 'sandbox', 'v3', '--yes'],
    ['heal', 'sandbox'],
  ]) {
    const refused = await fleet.run([...command, '--json']);
    expect(refused.result?.error).toMatchObject({ code: 'environment-collision', droplet: 'staging' });
  }
});

it("an environment that shares app name and droplet with another ignores that one's releases", async () => {
  const cwd = await fleet.freshCheckout();
  const file = join(cwd, 'config/deploy.yml');
  const settings = parse(await readFile(file, 'utf8'));
  settings.environments.stage2 = { droplet: fleet.region.stagingDropletId };
  await writeFile(file, stringify(settings));
  await writeFile(join(cwd, 'config/.env.stage2'), '');

  const status = await fleet.run(['status', 'stage2', '--json'], { cwd });
  expect(status.events).toMatchObject([{ rows: [{ release: '', health: 'runs shop for staging' }] }]);
  const check = await fleet.run(['status', 'stage2', '--check', '--json'], { cwd });
  expect(check.code).toBe(4);
  expect(check.events).toMatchObject([{ differences: [{ kind: 'other-environment' }] }]);
  expect(tagsOf((await fleet.run(['history', 'stage2', '--json'], { cwd })).stdout)).toEqual([]);
  expect(tagsOf((await fleet.run(['history', 'staging', '--json'], { cwd })).stdout)).toEqual(['v2']);
});
