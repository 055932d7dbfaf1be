/** Whole runs in virtual time: what the droplets remember of the releases that they ran before. */
import { expect, it } from 'vitest';
import type { DeployResult } from '../../src/rollout/model.js';
import { play } from '../simulation/run.js';
import type { RunPlan, Scenario } from '../simulation/scenario.js';
import { World } from '../simulation/world.js';

const CALM: Scenario = {
  seed: 1,
  fleet: 2,
  target: 'ids',
  // They run v1, and ran v0 before.
  start: 'managed',
  app: 'single',
  image: { kind: 'exits', afterMs: 50, code: 1, oom: false },
  check: { intervalSeconds: 3, healthyThreshold: 2, unhealthyThreshold: 2 },
  load: { rate: 0, requestMs: 20 },
  instrument: 'counters',
  delays: { showMs: 0, effectMs: 0, latencyMs: 0 },
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

function fleetOf(story: Partial<Scenario> = {}, keepReleases = 5) {
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

it('after a failed deploy that was reverted, rollback goes to the release before the one that runs', async () => {
  const { run, runs } = fleetOf();
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(runs()).toEqual(['v3', 'v3']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(runs()).toEqual(['v1', 'v1']);
});

it('so it does after a run that was killed while it switched the only droplet, and after its heal', async () => {
  const { run, runs } = fleetOf({ fleet: 1, target: 'droplet' });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  const crash = { call: 'switch', nth: 0, applied: true, power: false };
  expect(await run('deploy', 'v9', { crash })).toBeUndefined();
  expect(await run('heal')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(runs()).toEqual(['v1']);
});

it('a refusal offers only releases that have passed their gates', async () => {
  const { world, run } = fleetOf();
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  for (const { disk } of world.droplets.values()) {
    expect(
      [...disk.releases.keys()].some((id) => id.endsWith('-v2')),
      'it is still there',
    ).toBe(true);
    const state = JSON.parse(disk.state ?? '') as { previous?: string };
    delete state.previous;
    disk.state = JSON.stringify(state);
  }
  const { error } = (await run('rollback')) ?? {};
  expect(error?.code).toBe('no-such-release');
  expect(error?.hint).toMatch(/^The fleet can go back to: \S+-v0\.$/);
});

it('releases that have failed take no place of those to go back to', async () => {
  const { world, run } = fleetOf({}, 3);
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  for (const { disk } of world.droplets.values()) {
    expect([...disk.releases.keys()].map((id) => id.replace(/^.*-/, ''))).toEqual(['v0', 'v1', 'v3']);
  }
});
