/** A small fleet in virtual time on which nothing goes wrong but what a test asks for. */
import type { DeployResult } from '../../src/rollout/model.js';
import { play } from './run.js';
import type { RunPlan, Scenario } from './scenario.js';
import { World } from './world.js';

const CALM: Scenario = {
  seed: 1,
  fleet: 2,
  target: 'ids',
  start: 'managed',
  app: 'single',
  image: { kind: 'exits', afterMs: 50, code: 1, oom: false },
  check: { intervalSeconds: 3, healthyThreshold: 2, unhealthyThreshold: 2, answerMs: 3, port: 80 },
  nodes: 1,
  load: { rate: 0, requestMs: 20, spread: 'even' },
  sticky: false,
  keepalive: false,
  strangers: 0,
  instrument: 'counters',
  delays: { showMs: 0, effectMs: 0, latencyMs: 0, readingMs: 0 },
  strict: false,
  policy: {
    batch: [1],
    onFailure: 'revert-droplet',
    drainTimeoutMs: 2_000,
    healthTimeoutMs: 15_000,
    interruptGraceMs: 3_000,
    allowDowntime: false,
  },
  runs: [],
  happenings: [],
};

/** Two droplets that run v1, and ran v0 before. v2 is a bad release; v3 and v9 are good ones. */
export function fleetOf(story: Partial<Scenario> = {}, keepReleases = 5) {
  const world = new World({ ...CALM, ...story });
  const run = async (command: RunPlan['command'], tag = '', plan: Partial<RunPlan> = {}) => {
    const whole = { command, tag, force: false, startMs: 0, later: true, waitLockMs: 0, chaos: 0, faults: [], ...plan };
    const result = await world.clock.run(play(world, whole, { keepReleases }));
    // A lock that a dead run has left is free by then.
    await world.clock.advance(180_000);
    world.catchUp();
    return result as DeployResult | undefined;
  };
  const runs = () => [...world.droplets.values()].map(({ disk }) => disk.current?.replace(/^.*-/, ''));
  return { world, run, runs };
}
