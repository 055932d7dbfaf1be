import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BALANCER_TAG, Fleet } from './lab/fleet.js';
import { watchGates } from './lab/gates.js';

describe('two droplets behind a tag-managed balancer', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, tagManaged: true });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('go from v1 to v2 without a failed request, with one serving at any time', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    const gates = watchGates(fleet, deploy);
    const end = await deploy.ended;
    const report = await load.stop();

    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(report.byVersion).toMatchObject({ v1: expect.any(Number), v2: expect.any(Number) });
    expect(fleet.balancer.fewestServing).toBe(1);
    expect(await gates()).toEqual(['drained: 1 up', 'drained: 1 up', 'settled: 2 up', 'settled: 2 up']);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
    for (const { tags } of fleet.world.droplets.values()) expect([...tags]).toEqual([BALANCER_TAG]);
    expect(fleet.world.unknownRequests).toEqual([]);
  });

  it('revert a broken release, and both have the tag again', async () => {
    fleet.balancer.watchServing();
    const load = fleet.load();
    const end = await fleet.deploy('broken');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(fleet.balancer.fewestServing).toBe(1);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
    for (const { tags } of fleet.world.droplets.values()) expect([...tags]).toEqual([BALANCER_TAG]);
  });
});
