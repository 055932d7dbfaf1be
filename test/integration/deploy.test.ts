import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxFleet } from './sandbox-fleet.js';

describe('a deploy of three droplets under load', { shuffle: false }, () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start();
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('takes the fleet from v1 to v2 without a failed request, never below two droplets', async () => {
    const load = fleet.load();
    const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    const report = await load.stop();

    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(end.result?.rows.map((row) => [row.outcome, row.rotation, row.health])).toEqual([
      ['deployed', 'in', 'healthy'],
      ['deployed', 'in', 'healthy'],
      ['deployed', 'in', 'healthy'],
    ]);
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(report.total).toBeGreaterThan(100);
    expect(fleet.region.fewestServing()).toBe(2);
    expect(fleet.region.world.unknownRequests).toEqual([]);
    expect([...fleet.region.droplets.values()].flatMap((droplet) => droplet.unimplemented)).toEqual([]);

    const again = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    expect(again, 'the second time there is nothing to do').toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });
});
