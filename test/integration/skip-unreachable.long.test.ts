/** A droplet that is off or out of reach does not block the others. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { dropletState, expectNoFailures, expectWhole } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

const outcomes = (rows: readonly { name: string; outcome: string }[] = []) =>
  rows.map(({ name, outcome }) => `${name} ${outcome}`);

it('is skipped when asked for, recorded, and brought up to date by adopt', async () => {
  await fleet.region.droplet('web-3').setFaults({ ssh: 'refuse' });
  const refused = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
  expect(refused).toMatchObject({ code: 1, result: { error: { code: 'ssh-unreachable' } } });
  expect(refused.result?.error?.hint).toMatch(/Or leave it out: do-deploy (deploy )?sandbox v2 .*--skip-unreachable$/);

  const load = fleet.load();
  const skipping = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json', '--skip-unreachable']);
  expectNoFailures(await load.stop());
  expect(skipping).toMatchObject({
    code: 1,
    result: { outcome: 'failed', error: { code: 'droplets-skipped' }, next: 'do-deploy adopt sandbox' },
  });
  expect(outcomes(skipping.result?.rows)).toEqual(['web-1 deployed', 'web-2 deployed', 'web-3 skipped']);
  expect(skipping.result?.rows[2]).toMatchObject({ health: 'unknown', detail: expect.stringContaining('refused') });
  const history = await fleet.run(['history', 'sandbox', '--json']);
  expect(history.events[0]).toMatchObject({ imageTag: 'v2', outcome: 'succeeded', skipped: ['web-3'] });

  await fleet.region.droplet('web-3').clearFaults();
  expect(dropletState(fleet, 'web-3').version).toBe('v1');
  expect(await fleet.run(['adopt', 'sandbox', '--json'])).toMatchObject({ code: 0 });
  expect(expectWhole(fleet)).toBe('v2');
});
