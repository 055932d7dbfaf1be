import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';
import { watchGates } from './lab/gates.js';

describe('two droplets with an SSH user other than root, in group docker', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, user: 'deployer' });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it.each([
    { release: 'v2', effectDelayMs: 0 },
    { release: 'v3', effectDelayMs: 5_000 },
  ])('go to $release without a failed request if changes take effect after $effectDelayMs ms', async (one) => {
    fleet.world.timing.effectDelayMs = one.effectDelayMs;
    fleet.balancer.watchServing();
    const load = fleet.load();
    const deploy = fleet.startDeploy(one.release);
    const gates = watchGates(fleet, deploy);
    const end = await deploy.ended;
    const report = await load.stop();

    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(fleet.balancer.fewestServing).toBe(1);
    expect(await gates()).toEqual(['drained: 1 up', 'drained: 1 up', 'settled: 2 up', 'settled: 2 up']);
    expect(await fleet.versions()).toEqual(fleet.all(one.release));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});
