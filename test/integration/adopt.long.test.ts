/** `do-deploy adopt` behind a tag-managed balancer, with private images. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { dropletState, expectNoFailures, expectWhole } from './fleet-state.js';
import { containerIds } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const REGISTRY = { username: 'deployer', password: 'registry-pass-4711' };

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3, tagManaged: true, registryCredentials: REGISTRY });
  const login = '\nregistry: { username: $DOCKER_USERNAME, password: $DOCKER_PASSWORD }\n';
  for (const file of ['deploy.yml', 'deploy.first.yml']) await appendFile(join(fleet.folder, 'config', file), login);
  const variables = `DOCKER_USERNAME=${REGISTRY.username}\nDOCKER_PASSWORD=${REGISTRY.password}\n`;
  await appendFile(join(fleet.folder, 'config/.env'), variables);
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

it("brings droplets that run nothing or another release to the fleet's release, and reports an unreachable one", async () => {
  const { region } = fleet;
  region.world.untagDroplets('web', [region.droplet('web-3').id]);
  expect(await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json'])).toMatchObject({ code: 0 });
  // It returns with its old release; two new droplets join by the tag.
  region.world.tagDroplets('web', [region.droplet('web-3').id]);
  for (const name of ['web-4', 'web-5']) await region.addDroplet({ name, tags: ['web'] });
  await region.droplet('web-5').setFaults({ ssh: 'refuse' });

  const check = await fleet.run(['status', 'sandbox', '--check', '--json']);
  expect(check.code).toBe(4);
  const { differences } = check.events[0] as unknown as { differences: { droplet: string; kind: string }[] };
  expect(differences.map(({ droplet, kind }) => [droplet, kind])).toEqual([
    ['web-3', 'other-release'],
    ['web-4', 'no-release'],
    ['web-5', 'unreachable'],
  ]);

  const healed = await fleet.run(['heal', 'sandbox', '--json']);
  expect(healed).toMatchObject({ code: 1, result: { error: { code: 'nothing-to-heal-to' } } });
  expect(healed.result?.error?.message).toMatch(/: .*-v2 is not on web-3, web-4\.$/);
  expect(healed.result?.error?.hint).toContain('do-deploy adopt sandbox');

  const members = ['web-1', 'web-2'];
  const before = members.map((name) => containerIds(fleet, name));
  const load = fleet.load();
  const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
  expectNoFailures(await load.stop());
  expect(adopted).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'capacity-floor' } } });
  expect(adopted.result?.rows.map(({ name, outcome }) => [name, outcome])).toEqual([
    ['web-1', 'up to date'],
    ['web-2', 'up to date'],
    ['web-3', 'not deployed'],
    ['web-4', 'deployed'],
  ]);
  const told = adopted.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  expect(told.filter((message) => message.startsWith('web-5 cannot be reached'))).toHaveLength(1);
  const batches = adopted.events.flatMap((event) => (event.type === 'batch-started' ? [event.droplets] : []));
  expect(batches, 'what serves nothing goes first; what serves may not leave for one that is out of reach').toEqual([
    ['web-4'],
  ]);
  const whole = { rotation: 'in', served: true, recorded: false };
  expect(dropletState(fleet, 'web-3')).toMatchObject({ version: 'v1', ...whole });
  expect(dropletState(fleet, 'web-4')).toMatchObject({ version: 'v2', ...whole });

  await region.droplet('web-5').setFaults({ ssh: 'up' });
  expect(await fleet.run(['adopt', 'sandbox', '--json'])).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(
    members.map((name) => containerIds(fleet, name)),
    'no member was taken out',
  ).toEqual(before);
  expect(expectWhole(fleet)).toBe('v2');
  expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
});
