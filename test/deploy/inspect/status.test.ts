/** What `status` and `status --check` say of simulated fleets. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALM } from '../../simulation/calm.js';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('status');
});
afterAll(removeCopies);

describe('a fleet on two releases', () => {
  it('is said, with the command that says more', async () => {
    const { run, status } = fleetOf({ fleet: 3, onlyOn: 1 });
    expect(await status()).not.toHaveProperty('dispute');
    expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
    const { rows, ...said } = await status();
    expect(said).toEqual({
      type: 'status',
      heading: expect.any(String),
      dispute: `The fleet is on 2 releases: web-1 runs ${rows[0]?.release}; web-2, web-3 run ${rows[1]?.release}.`,
      see: 'do-deploy status production --check',
    });
  });

  it('is said by roles', async () => {
    const { run, status } = fleetOf({ fleet: 4, target: 'roles', onlyOn: 2 });
    await run('deploy', 'v2');
    expect((await status()).dispute).toMatch(/^The fleet is on 2 releases: web runs \S+-v2; worker runs \S+-v1\.$/);
  });

  it('is no matter of a canary, nor of a droplet that was taken out by hand', async () => {
    const { run, status } = fleetOf({ fleet: 3 });
    await run('droplet out', 'web-3');
    await run('deploy', 'v9');
    expect(await status()).not.toHaveProperty('dispute');
    await run('deploy', 'v3', { canary: 1 });
    expect(await status()).not.toHaveProperty('dispute');
  });
});

describe('a bake that did not come to its end', () => {
  const policy = { ...CALM.policy, bakeMs: 600_000 };
  /** The droplets are looked at more often than that only in the bake. */
  const crash = { call: 'containers', nth: 100, applied: true, power: false };

  it('is said until it is made up for, with the command', async () => {
    const { run, status, check, runs } = fleetOf({ fleet: 3, policy });
    expect(await run('deploy', 'v9', { crash })).toBeUndefined();
    expect(runs()).toEqual(['v9', 'v9', 'v9']);
    const bake = { imageTag: 'v9', next: 'do-deploy production v9' };
    expect(await status()).toMatchObject({ bake });
    expect(await check()).toMatchObject({ bake });
    expect(await run('deploy', 'v9')).toMatchObject({ outcome: 'succeeded' });
    expect(await status()).not.toHaveProperty('bake');
    expect(await check()).not.toHaveProperty('bake');
  });

  it('of a canary names its command', async () => {
    const { run, status, check, runs } = fleetOf({ fleet: 3, policy });
    expect(await run('deploy', 'v9', { canary: 1, crash })).toBeUndefined();
    expect(runs()).toEqual(['v9', 'v1', 'v1']);
    const bake = { imageTag: 'v9', next: 'do-deploy production v9 --canary 1' };
    expect(await status()).toMatchObject({ bake, ways: { forward: 'do-deploy promote production' } });
    expect(await check()).toMatchObject({ bake });
    expect(await run('deploy', 'v9', { canary: 1 })).toMatchObject({ outcome: 'succeeded' });
    expect(await check()).not.toHaveProperty('bake');
  });

  it('is nothing that is owed where only some droplets were left on the release', async () => {
    const { run, status, check } = fleetOf({ fleet: 3, onlyOn: 1, policy });
    expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
    expect(await status()).not.toHaveProperty('bake');
    expect(await check()).not.toHaveProperty('bake');
  });

  it('is not looked for without a bake', async () => {
    const { run, world, check } = fleetOf({ fleet: 3, policy });
    expect(await run('deploy', 'v9', { crash })).toBeUndefined();
    world.story.policy = { ...policy, bakeMs: 0 };
    expect(await check()).not.toHaveProperty('bake');
  });
});
