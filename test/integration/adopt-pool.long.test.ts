/** `do-deploy adopt` with an autoscale pool, behind a balancer with droplets by id. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { dropletState, expectNoFailures, expectWhole } from './fleet-state.js';
import { containerIds } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
  await fleet.region.addDroplet({ name: 'web-3', pool: 'web-pool' });
  const path = join(fleet.folder, 'config/deploy.yml');
  const written = await readFile(path, 'utf8');
  await writeFile(path, written.replace(/load_balancer: .*/, '$&\n    autoscale_pool: web-pool'));
});
afterAll(() => fleet.stop());

it('a new droplet of the pool is reported by a deploy and joins the balancer once verified; more than the balancer takes is refused', async () => {
  const deployed = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
  expect(deployed).toMatchObject({ code: 0, result: { next: 'do-deploy adopt sandbox' } });
  expect(deployed.result?.rows.map(({ name }) => name)).toEqual(['web-1', 'web-2']);
  expect(deployed.events).toContainEqual(
    expect.objectContaining({
      type: 'notice',
      droplet: 'web-3',
      message: expect.stringMatching(/^web-3 is not behind load balancer .* run do-deploy adopt sandbox\.$/),
    }),
  );

  const check = await fleet.run(['status', 'sandbox', '--check', '--json']);
  expect(check.code).toBe(4);
  const { differences } = check.events[0] as unknown as { differences: object[] };
  expect(differences).toEqual([
    expect.objectContaining({ droplet: 'web-3', kind: 'out-of-rotation', fix: 'adopt' }),
    expect.objectContaining({ droplet: 'web-3', kind: 'no-release', fix: 'adopt' }),
  ]);

  const members = ['web-1', 'web-2'];
  const before = members.map((name) => containerIds(fleet, name));
  const load = fleet.load();
  const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
  expectNoFailures(await load.stop());
  expect(adopted).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(adopted.result?.rows.map(({ name, outcome }) => [name, outcome])).toEqual([
    ['web-1', 'up to date'],
    ['web-2', 'up to date'],
    ['web-3', 'deployed'],
  ]);
  expect(dropletState(fleet, 'web-3')).toMatchObject({ version: 'v2', rotation: 'in', served: true, recorded: false });
  const steps = adopted.events.flatMap((event) =>
    event.type === 'step-finished' && event.droplet === 'web-3' ? [event.step as string] : [],
  );
  expect(steps.indexOf('health')).toBeLessThan(steps.indexOf('balancer-check'));
  expect(steps.indexOf('balancer-check')).toBeLessThan(steps.indexOf('rejoin'));
  expect(
    members.map((name) => containerIds(fleet, name)),
    'no member was touched',
  ).toEqual(before);
  expect(expectWhole(fleet)).toBe('v2');
  expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });

  // More than the balancer takes by id: nothing is changed.
  const names = Array.from({ length: 8 }, (_, index) => `web-${index + 4}`);
  for (const name of names) await fleet.region.addDroplet({ name, pool: 'web-pool' });
  const refused = await fleet.run(['adopt', 'sandbox', '--json']);
  expect(refused).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code: 'balancer-full' } } });
  expect(names.flatMap((name) => containerIds(fleet, name))).toEqual([]);
});
