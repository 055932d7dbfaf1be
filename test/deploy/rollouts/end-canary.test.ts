/** Complete runs in virtual time: how a canary ends after a run that was killed, and while it is not well. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALM } from '../../simulation/calm.js';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';
import { WORKERS } from '../../simulation/world.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('end-canary');
});
afterAll(removeCopies);

const CRASH = { call: 'switch', nth: 0, applied: true, power: false };

describe('after a promote that was killed', () => {
  async function killed() {
    const fleet = fleetOf({ fleet: 3 });
    expect(await fleet.run('deploy', 'v3', { canary: 1 })).toMatchObject({ outcome: 'succeeded' });
    expect(await fleet.run('promote', '', { crash: CRASH })).toBeUndefined();
    const marked = [...fleet.world.droplets.values()].filter((one) => one.tags.has(fleet.world.ledgerTag(one)));
    expect(marked).toHaveLength(1);
    return fleet;
  }

  it('promote takes what it has left half-way first, and then the rest', async () => {
    const { run, runs } = await killed();
    expect(await run('promote')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
    expect(runs()).toEqual(['v3', 'v3', 'v3']);
  });

  it('abort takes it back', async () => {
    const { run, runs } = await killed();
    expect(await run('abort')).toMatchObject({ outcome: 'succeeded' });
    expect(runs()).toEqual(['v1', 'v1', 'v1']);
  });

  it('adopt leaves it to heal, and says so', async () => {
    const { run } = await killed();
    const end = await run('adopt');
    expect(end).toMatchObject({ outcome: 'failed', error: { code: 'left-out' } });
    expect(end?.error?.hint).toContain('do-deploy heal production');
  });

  it('status --check names heal, and not adopt', async () => {
    const { run, check } = await killed();
    const { differences } = await check();
    expect(differences.flatMap(({ fix }) => fix ?? [])).toContain('heal');
    expect(differences.map(({ fix }) => fix)).not.toContain('adopt');
    expect(await run('heal')).toMatchObject({ outcome: 'succeeded' });
    expect((await check()).differences.flatMap(({ fix }) => fix ?? [])).toEqual([]);
  });

  it('the same canary again is no good end while it is out', async () => {
    const { run } = await killed();
    const again = await run('deploy', 'v3', { canary: 1 });
    expect(again).toMatchObject({ outcome: 'failed', error: { code: 'left-out' } });
    expect(again?.error?.message).toContain('web-2');
    expect(again?.error?.hint).toContain('do-deploy heal production');
    expect(await run('heal')).toMatchObject({ outcome: 'succeeded' });
  });
});

it('a promote that was interrupted names promote and abort, also while a droplet is out', async () => {
  const { run } = fleetOf({ fleet: 3 });
  await run('deploy', 'v3', { canary: 1 });
  const end = await run('promote', '', { interrupt: { call: 'switch', nth: 0, secondAfterMs: 0 } });
  expect(end).toMatchObject({
    ways: { forward: 'do-deploy promote production', back: 'do-deploy abort production' },
  });
});

it('a canary of which no droplet has finished is not promoted, and the hint repeats its size', async () => {
  const { run } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v3', { canary: 2, crash: CRASH })).toBeUndefined();
  const end = await run('promote');
  expect(end).toMatchObject({ outcome: 'failed', error: { code: 'canary-sick' } });
  expect(end?.error?.hint).toContain('do-deploy production v3 --canary 1)');
});

it('without a canary, promote and abort say that there is nothing to do', async () => {
  const { run, world } = fleetOf();
  for (const ends of ['promote', 'abort'] as const) {
    const end = await run(ends);
    expect(end).toMatchObject({ rows: [], error: { message: `Nothing to ${ends}: no canary is held on production.` } });
    expect([...world.droplets.values()].flatMap(({ lock }) => lock.holders)).toEqual([]);
  }
});

describe('a release that fails after its canary was held', () => {
  /** v2 starts on the first two droplets. */
  const BAD = { fleet: 4, onlyOn: 2, policy: { ...CALM.policy, onFailure: 'revert-fleet' as const } };

  it.each([
    ['promote', {}],
    ['deploy', { canary: 3 }],
  ] as const)('by %s %j stays held where it was, and only abort is named', async (command, plan) => {
    const { run, runs } = fleetOf(BAD);
    expect(await run('deploy', 'v2', { canary: 2 })).toMatchObject({ outcome: 'succeeded' });
    const end = await run(command, command === 'deploy' ? 'v2' : '', plan);
    expect(end).toMatchObject({ outcome: 'failed', held: { imageTag: 'v2' }, next: 'do-deploy abort production' });
    expect(end?.ways).toBeUndefined();
    expect(runs()).toEqual(['v2', 'v2', 'v1', 'v1']);
    expect(await run('abort')).toMatchObject({ outcome: 'succeeded' });
    expect(runs()).toEqual(['v1', 'v1', 'v1', 'v1']);
  });
});

it('abort neither pauses nor bakes', async () => {
  const policy = { ...CALM.policy, pauseMs: 600_000, bakeMs: 600_000 };
  const { run } = fleetOf({ fleet: 4, policy });
  expect((await run('deploy', 'v3', { canary: 2 }))?.durationMs).toBeGreaterThan(600_000);
  expect((await run('abort'))?.durationMs).toBeLessThan(600_000);
});

it('abort beside an empty droplet is stopped by the floor, and names what fills it', async () => {
  const { run, runs, world } = fleetOf({ fleet: 4 });
  expect(await run('deploy', 'v3', { canary: 2 })).toMatchObject({ outcome: 'succeeded' });
  const { id } = world.addDroplet('empty', true);
  world.balancer?.accepted.add(id);
  world.balancer?.shown.add(id);
  const stopped = await run('abort');
  expect(stopped?.error).toMatchObject({
    code: 'capacity-floor',
    hint: 'See which droplet is not healthy: do-deploy status production. Bring the release of the fleet to web-5: do-deploy adopt production. Then run the same command again.',
  });
  expect(await run('adopt')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('abort')).toMatchObject({ outcome: 'succeeded' });
  expect(runs()).toEqual(['v1', 'v1', 'v1', 'v1', 'v1']);
});

describe('a canary from before the environment had roles', () => {
  async function withRoles() {
    const fleet = fleetOf({ fleet: 4 });
    expect(await fleet.run('deploy', 'v3', { canary: 1 })).toMatchObject({ outcome: 'succeeded' });
    const { world } = fleet;
    (world.story as { target: string }).target = 'roles';
    for (const droplet of [...world.droplets.values()].filter((one) => world.roleOf(one) === 'worker')) {
      droplet.tags.add(WORKERS);
      world.balancer?.accepted.delete(droplet.id);
      world.balancer?.shown.delete(droplet.id);
    }
    return fleet;
  }
  const WAYS = { forward: 'do-deploy production v3', back: 'do-deploy production v1' };

  it('is ended by a deploy to all roles, which every command names', async () => {
    const { run, runs } = await withRoles();
    const back = await run('rollback');
    expect(back).toMatchObject({ outcome: 'failed', error: { code: 'canary-held' } });
    expect(back?.error?.message).toContain('production has roles now, so it can be neither promoted nor aborted.');
    expect(back?.error?.hint).toBe(`Roll it out (${WAYS.forward}), or take it back (${WAYS.back}).`);
    expect(await run('heal')).toMatchObject({ outcome: 'skipped', ways: WAYS });
    expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
    expect(runs()).toEqual(['v3', 'v3', 'v3', 'v3']);
    expect((await run('heal'))?.held).toBeUndefined();
  });

  it('is taken back by a deploy, too', async () => {
    const { run, runs } = await withRoles();
    expect(await run('deploy', 'v1')).toMatchObject({ outcome: 'succeeded' });
    expect(runs()).toEqual(['v1', 'v1', 'v1', 'v1']);
    expect((await run('heal'))?.held).toBeUndefined();
  });
});

describe('a canary on a droplet that has lost its images and containers', () => {
  async function lost() {
    const fleet = fleetOf({ fleet: 3 });
    expect(await fleet.run('deploy', 'v3', { canary: 1 })).toMatchObject({ outcome: 'succeeded' });
    const [first] = [...fleet.world.droplets.values()];
    first?.disk.images.clear();
    first?.containers.splice(0);
    return fleet;
  }
  const FINISH = 'do-deploy production v3 --canary 1';

  it('is no good end of adopt, and every command names a way out', async () => {
    const { run, runs } = await lost();
    const adopted = await run('adopt');
    expect(adopted).toMatchObject({ outcome: 'failed', error: { code: 'canary-sick', droplet: 'web-1' } });
    expect(adopted?.error?.hint).toContain(`Finish it (${FINISH})`);
    expect((await run('heal'))?.error).toMatchObject({
      code: 'image-gone',
      hint: `${FINISH} pulls the same image again.`,
    });
    expect((await run('promote'))?.error?.hint).toContain(`Finish it (${FINISH})`);
    expect((await run('abort'))?.error).toMatchObject({
      code: 'image-gone',
      hint: "A deploy to all pulls what is missing: do-deploy production v1, or do-deploy production v3 for the canary's release.",
    });
    expect(await run('deploy', 'v3', { canary: 1 })).toMatchObject({ outcome: 'succeeded' });
    expect(await run('adopt')).toMatchObject({ outcome: 'skipped' });
    expect(runs()).toEqual(['v3', 'v1', 'v1']);
  });

  it('is ended by a deploy of the release before', async () => {
    const { run, runs } = await lost();
    expect(await run('deploy', 'v1')).toMatchObject({ outcome: 'succeeded' });
    expect(runs()).toEqual(['v1', 'v1', 'v1']);
  });
});

it('a canary whose run was killed before any droplet had it was held nowhere, and abort says so', async () => {
  const { run } = fleetOf({ fleet: 3 });
  await run('deploy', 'v3', { canary: 1, crash: { ...CRASH, call: 'mark-out' } });
  expect((await run('abort'))?.error?.message).toBe(
    'Nothing to abort: the canary that is recorded for production runs on no droplet of the fleet: the run that began it was killed before, or its droplets have left the fleet.',
  );
});

it('what a killed abort has left out is told as its doing', async () => {
  const { run, world } = fleetOf({ fleet: 3 });
  await run('deploy', 'v3', { canary: 1 });
  await run('abort', '', { crash: CRASH });
  const [first] = [...world.droplets.values()];
  expect(JSON.parse(first?.disk.out ?? '{}')).toMatchObject({ run: expect.stringMatching(/^abort /) });
});

it.each([
  [1, 'it'],
  [2, 'both of them'],
])('a canary of a whole fleet of %i says what to do, and once that nothing was changed', async (size, them) => {
  const { run } = fleetOf({ fleet: size, policy: { ...CALM.policy, allowDowntime: true } });
  const end = await run('deploy', 'v3', { canary: size });
  expect(end?.error).toMatchObject({ code: 'canary-of-all', hint: `Deploy to ${them}, without --canary.` });
  expect(end?.error?.message).not.toContain('Nothing was changed');
});

it('a canary that was taken back is no release to roll back to', async () => {
  const { run, runs } = fleetOf({ fleet: 3 });
  await run('deploy', 'v3', { canary: 1 });
  expect(await run('abort')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('rollback')).toMatchObject({ outcome: 'failed', error: { code: 'no-such-release' } });
  expect(runs()).toEqual(['v1', 'v1', 'v1']);
});

it('abort takes back a canary also where all other droplets have left the fleet', async () => {
  const { run, runs, world } = fleetOf({ fleet: 3 });
  await run('deploy', 'v9');
  await run('deploy', 'v3', { canary: 2 });
  const [id = 0] = [...world.droplets.keys()].slice(-1);
  for (const ids of [world.droplets, world.balancer?.shown, world.balancer?.accepted]) ids?.delete(id);
  expect(await run('abort')).toMatchObject({ outcome: 'succeeded' });
  expect(runs()).toEqual(['v9', 'v9']);
});
