import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet, type RunningCommand } from './lab/fleet.js';

describe('three droplets behind a balancer that checks every 2 seconds', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ healthCheck: { intervalSeconds: 2 } });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it.each([
    { release: 'v2', effectDelayMs: 0 },
    { release: 'v3', effectDelayMs: 1_000 },
    { release: 'v1', effectDelayMs: 5_000 },
  ])('go to $release without a failed request, when a change takes effect after $effectDelayMs ms', async (one) => {
    fleet.world.timing.effectDelayMs = one.effectDelayMs;
    fleet.balancer.watchServing();
    const load = fleet.load();
    const deploy = fleet.startDeploy(one.release);
    const seen = watchGates(fleet, deploy);
    const end = await deploy.ended;
    const report = await load.stop();

    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(report.total).toBeGreaterThan(300);
    expect(fleet.balancer.fewestServing).toBe(2);
    expect(await Promise.all(seen), 'switched before the balancer let go, or gone on before it came back').toEqual(
      fleet.record.serving.ids.flatMap(() => ['drained: 2 up', 'settled: 3 up']),
    );
    expect(fleet.world.unknownRequests).toEqual([]);
  });
});

/** What the balancer really does at the moment in which the deploy believes that it has let go, or taken back. */
function watchGates(fleet: Fleet, deploy: RunningCommand): Promise<string>[] {
  const seen: Promise<string>[] = [];
  void deploy
    .event((event) => {
      if (event.type !== 'step-finished') return false;
      const gate = event.step === 'drain' ? 'drained' : event.step === 'settle' ? 'settled' : undefined;
      if (gate) seen.push(fleet.balancer.up().then((ids) => `${gate}: ${ids.length} up`));
      return false;
    })
    .catch(() => {});
  return seen;
}
