/** A small fleet in virtual time on which nothing goes wrong but what a test asks for. */
import { driftOutput, statusOutput } from '../../src/commands/shared/status-output.js';
import { checkFleet } from '../../src/deploy/inspect/check-drift.js';
import { readStatus } from '../../src/deploy/inspect/read-status.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { CALM } from './calm.js';
import { examineFleet, lookAt, planFleet } from './plan-fleet.js';
import { play } from './run.js';
import type { RunPlan, Scenario } from './scenario.js';
import { World } from './world.js';

/** v2 fails at once, and nobody waits long. */
const BAD: Scenario = {
  ...CALM,
  image: { kind: 'exits', afterMs: 50, code: 1, oom: false },
  policy: { ...CALM.policy, drainTimeoutMs: 2_000 },
};

/** Two droplets that run v1, and ran v0 before. v2 is a bad release; v3 and v9 are good ones. */
export function fleetOf(story: Partial<Scenario> = {}, keepReleases = 5) {
  const world = new World({ ...BAD, ...story });
  const run = async (command: RunPlan['command'], tag = '', plan: Partial<RunPlan> = {}) => {
    const whole = { command, tag, force: false, startMs: 0, later: true, waitLockMs: 0, chaos: 0, faults: [], ...plan };
    const result = await world.clock.run(play(world, whole, { keepReleases }));
    // A lock that a dead run has left is free by then.
    await world.clock.advance(180_000);
    world.catchUp();
    return result as DeployResult | undefined;
  };
  const runs = () => [...world.droplets.values()].map(({ disk }) => disk.current?.replace(/^.*-/, ''));
  const plan = (options?: Parameters<typeof planFleet>[1]) => planFleet(world, options);
  const doctor = () => examineFleet(world);
  const status = () => lookAt(world, async (ports, of) => statusOutput(of, await readStatus(ports, of)));
  const check = () => lookAt(world, async (ports, of) => driftOutput(of, await checkFleet(ports, of)));
  return { world, run, runs, plan, doctor, status, check };
}
