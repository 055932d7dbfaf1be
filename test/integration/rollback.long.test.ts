import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxFleet } from './sandbox-fleet.js';

describe('going back', () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('rolls the fleet back from what the droplets keep, with the registry stopped, and keeps a history of it', async () => {
    for (const release of ['v2', 'v3']) {
      const forward = await fleet.run(['deploy', 'sandbox', release, '--yes', '--json']);
      expect(forward.result?.outcome).toBe('succeeded');
    }
    fleet.region.registry.stop();

    const load = fleet.load();
    const back = await fleet.run(['rollback', 'sandbox', 'v1', '--yes', '--json'], {
      cwd: await fleet.freshCheckout(),
    });
    expect(back).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'v1' } } });
    expect(await load.stop()).toMatchObject({ failed: 0 });
    expect(await (await fetch(fleet.region.balancerUrl)).text()).toContain('v1');

    const unknown = await fleet.run(['rollback', 'sandbox', 'v9', '--yes', '--json']);
    expect(unknown).toMatchObject({ code: 2, result: { error: { code: 'no-such-release' } } });
    expect(unknown.result?.error?.hint, 'names what it can go back to').toMatch(/\dZ-v3, \S+Z-v2\./);

    const history = async (cwd: string) => (await fleet.run(['history', 'sandbox', '--json'], { cwd })).stdout;
    const told = (await history(fleet.folder)).trim().split('\n');
    expect(
      told.map((line) => JSON.parse(line)).map(({ command, imageTag, outcome }) => [command, imageTag, outcome]),
    ).toEqual([
      ['rollback', 'v1', 'succeeded'],
      ['deploy', 'v3', 'succeeded'],
      ['deploy', 'v2', 'succeeded'],
      ['deploy', 'v1', 'succeeded'],
    ]);
    expect(await history(await fleet.freshCheckout()), 'the same from another machine').toBe(`${told.join('\n')}\n`);
  });
});
