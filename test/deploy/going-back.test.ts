/** Whole runs in virtual time: what the droplets remember of the releases that they ran before. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { removeCopies, smallFleets } from '../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('going-back');
});
afterAll(removeCopies);

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
