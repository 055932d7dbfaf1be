import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

describe('a balancer with one droplet', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 1 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('is not deployed to, because nothing would serve during the deploy', async () => {
    const load = fleet.load();
    const end = await fleet.deploy('v2');
    expect(end).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code: 'fleet-of-one' } } });
    expect(`${end.result?.error?.hint}`).toContain('--allow-downtime');
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
  });

  it('is deployed to with --allow-downtime', async () => {
    const end = await fleet.deploy('v2', '--allow-downtime');
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    await fleet.balancer.allUp();
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});
