/** Complete runs in virtual time: which release a rollback goes to. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALM } from '../../simulation/calm.js';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';
import { START } from '../../simulation/world.js';

/** When the n-th droplet is confirmed, counted from 0: it is done first. */
const interruptAt = (nth: number) => ({ interrupt: { call: 'confirm' as const, nth } });

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('rollback');
});
afterAll(removeCopies);

it('after a failed deploy that was reverted, rollback goes to the release before the current one', async () => {
  const { run, runs } = fleetOf();
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(runs()).toEqual(['v3', 'v3']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(runs()).toEqual(['v1', 'v1']);
});

it.each([
  ['of the first batch', {}, {}],
  ['of all droplets at once', {}, { batch: ['100%'] as ['100%'], allowDowntime: true }],
  ['of the only droplet', { fleet: 1, target: 'droplet' as const }, {}],
])('after a deploy that was stopped by the failure %s, it goes to what was replaced', async (_, given, policy) => {
  const { run, runs, world } = fleetOf({ ...given, policy: { ...CALM.policy, onFailure: 'stop', ...policy } });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect([...world.droplets.values()].some(({ disk }) => disk.state?.includes('switching'))).toBe(true);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
  expect(new Set(runs())).toEqual(new Set(['v3']));
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
});

describe('with roles, after a deploy that has ended before all of them had the release, it goes to what was replaced', () => {
  const ROLES = { fleet: 4, target: 'roles' as const };
  const CRASH = { call: 'switch' as const, nth: 2, applied: true, power: false };
  const deployed = async (story: Parameters<typeof fleetOf>[0], tags: readonly string[]) => {
    const fleet = fleetOf({ ...ROLES, ...story });
    for (const tag of tags) expect(await fleet.run('deploy', tag)).toMatchObject({ outcome: 'succeeded' });
    return fleet;
  };
  const expectBackTo = async ({ run, runs }: ReturnType<typeof fleetOf>, tag: string) => {
    expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: tag } });
    expect(runs()).toEqual([tag, tag, tag, tag]);
  };

  it.each([2, 3])('also where a later one was rolled back before (it fails on droplet %i)', async (onlyOn) => {
    const fleet = await deployed({ onlyOn }, ['v3', 'v9']);
    await expectBackTo(fleet, 'v3');
    expect(await fleet.run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
    expect(fleet.runs().slice(0, 2)).toEqual(['v2', 'v2']);
    await expectBackTo(fleet, 'v3');
  });

  it('also where that was the first', async () => {
    const fleet = await deployed({ onlyOn: 2 }, []);
    expect(await fleet.run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
    await expectBackTo(fleet, 'v1');
  });

  it('also where the droplet that failed is still out', async () => {
    const fleet = await deployed({ onlyOn: 2, policy: { ...CALM.policy, onFailure: 'stop' } }, ['v3', 'v9']);
    await expectBackTo(fleet, 'v3');
    expect(await fleet.run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
    await expectBackTo(fleet, 'v3');
  });

  it('also after two that failed', async () => {
    const fleet = await deployed({ onlyOn: 2 }, ['v3', 'v9']);
    await expectBackTo(fleet, 'v3');
    for (let nth = 0; nth < 2; nth += 1)
      expect(await fleet.run('deploy', 'v2', { force: true })).toMatchObject({ outcome: 'failed' });
    await expectBackTo(fleet, 'v3');
  });

  it('also where a release was deployed again, and the run was killed', async () => {
    const fleet = await deployed({}, ['v3', 'v9']);
    expect(await fleet.run('deploy', 'v3', { crash: CRASH })).toBeUndefined();
    expect(await fleet.run('heal')).toMatchObject({ outcome: 'succeeded' });
    expect(fleet.runs()).toEqual(['v3', 'v3', 'v9', 'v9']);
    await expectBackTo(fleet, 'v9');
  });
});

it('of a fleet whose last droplet had to go back, it takes back the others', async () => {
  const { run, runs } = fleetOf({ fleet: 3, onlyOn: 2 });
  for (const tag of ['v3', 'v9']) expect(await run('deploy', tag)).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(runs()).toEqual(['v2', 'v2', 'v9']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v9' } });
  expect(runs()).toEqual(['v9', 'v9', 'v9']);
});

it('after a rollback that was killed, it goes on to the same release', async () => {
  const { run, runs } = fleetOf();
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(
    await run('rollback', undefined, { crash: { call: 'switch', nth: 0, applied: true, power: false } }),
  ).toBeUndefined();
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(runs()).toEqual(['v1', 'v1']);
});

it('after a run that was killed during the switch of the only droplet, and its heal, it does too', async () => {
  const { run, runs } = fleetOf({ fleet: 1, target: 'droplet' });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  const crash = { call: 'switch', nth: 0, applied: true, power: false };
  expect(await run('deploy', 'v9', { crash })).toBeUndefined();
  expect(await run('heal')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(runs()).toEqual(['v1']);
});

it('a refusal offers only releases that passed their gates', async () => {
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

it('failed releases do not count for keep_releases', async () => {
  const { world, run } = fleetOf({}, 3);
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  for (const { disk } of world.droplets.values()) {
    expect([...disk.releases.keys()].map((id) => id.replace(/^.*-/, ''))).toEqual(['v0', 'v1', 'v3']);
  }
});

const image = (tag: string) =>
  `sha256:${createHash('sha256').update(`registry.example.com/shop:${tag}`).digest('hex')}`;

it('a refusal offers no release whose images were removed', async () => {
  const { world, run, runs } = fleetOf();
  for (const tag of ['v3', 'v9']) expect(await run('deploy', tag)).toMatchObject({ outcome: 'succeeded' });
  const [, second] = [...world.droplets.values()];
  for (const tag of ['v0', 'v3']) second?.disk.images.delete(image(tag));
  const { error } = (await run('rollback')) ?? {};
  expect(error).toMatchObject({ code: 'image-gone', droplet: 'web-2' });
  expect(error?.hint).toMatch(
    /^The fleet can go back to: \S+-v1\. do-deploy production v3 deploys what that tag names today\.$/,
  );
  expect(await run('rollback', 'v1')).toMatchObject({ outcome: 'succeeded' });
  expect(runs()).toEqual(['v1', 'v1']);
});

it('a refusal names the droplets that lack the release', async () => {
  const { world, run } = fleetOf();
  const [, second] = [...world.droplets.values()];
  for (const id of second?.disk.releases.keys() ?? []) if (id.endsWith('-v0')) second?.disk.releases.delete(id);
  expect((await run('rollback'))?.error?.message).toMatch(
    /^There is no earlier release of shop that every droplet holds: \S+-v0 is not on web-2\.$/,
  );
  expect((await run('rollback', 'v0'))?.error?.message).toMatch(/^Release \S+-v0 is no longer on web-2\.$/);
});

it('a release that has failed in its bake, and that was taken back, is no release to go back to', async () => {
  const { run, runs } = fleetOf({
    image: { kind: 'sickens', readyMs: 500, afterMs: 60_000 },
    policy: { ...CALM.policy, onFailure: 'revert-fleet', bakeMs: 300_000 },
  });
  const end = await run('deploy', 'v2');
  expect(end).toMatchObject({ outcome: 'failed' });
  expect(end?.rows.map(({ outcome }) => outcome)).toEqual(['reverted', 'reverted']);
  expect(runs()).toEqual(['v1', 'v1']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v0' } });
});

it('a bake that is made up for and fails takes the release back for later runs, too', async () => {
  const policy = { ...CALM.policy, onFailure: 'revert-fleet' as const, bakeMs: 120_000 };
  // Well until the second run bakes: each run is followed by three minutes.
  const gate = { badFromMs: 420_000, badForMs: 3_600_000, everyMs: 5_000, failAfter: 1, answerMs: 100 };
  const { run, runs, world } = fleetOf({ policy, gate, image: { kind: 'good', readyMs: 500, answersMs: 500 } });
  expect(await run('deploy', 'v2', interruptAt(1))).toMatchObject({ outcome: 'interrupted' });
  const anchored = () => [...world.tags].filter((tag) => tag.includes(':release:')).length;
  expect([runs(), anchored()]).toEqual([['v2', 'v2'], 1]);
  await world.clock.advance(200_000);
  const end = await run('deploy', 'v2');
  expect(end?.error?.code).toBe('gate-failed');
  expect([runs(), anchored()]).toEqual([['v1', 'v1'], 0]);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v0' } });
});

describe('in a plain fleet, after a deploy that was stopped by what was watched', () => {
  const gate = { badForMs: 3_600_000, everyMs: 5_000, failAfter: 1, answerMs: 100 };
  const image = { kind: 'good' as const, readyMs: 500, answersMs: 500 };

  it.each([
    ['between two batches', { pauseMs: 60_000 }, 'v2'],
    ['in the bake', { bakeMs: 120_000 }, 'v2'],
    // Of releases that the droplets hold, which were deployed before.
    ['between two batches', { pauseMs: 60_000 }, 'v9'],
    ['between two batches', { pauseMs: 60_000 }, 'v1'],
  ])('%s, it goes to what was replaced', async (_, rests, tag) => {
    const policy = { ...CALM.policy, onFailure: 'revert-droplet' as const, ...rests };
    const { run, runs, world } = fleetOf({ fleet: 3, policy, gate: { ...gate, badFromMs: 1_500_000 }, image });
    expect(await run('deploy', 'v9')).toMatchObject({ outcome: 'succeeded' });
    expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
    const until = 1_500_000 - ('bakeMs' in rests ? 130_000 : 140_000) - (world.time - START);
    await world.clock.advance(until);
    expect(await run('deploy', tag)).toMatchObject({ outcome: 'failed', error: { code: 'gate-failed' } });
    expect(runs().filter((one) => one === tag).length, 'droplets that keep it').toBeGreaterThan(0);
    expect(runs(), 'what it was replacing').toContain('v3');
    expect((await run('heal'))?.ways).toMatchObject({ back: expect.stringMatching(/-v3$/) });
    // Gates are not asked by a rollback.
    expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
    expect(runs()).toEqual(['v3', 'v3', 'v3']);
  });
});

it('so it is on the only droplet', async () => {
  const { run, runs } = fleetOf({
    fleet: 1,
    target: 'droplet',
    image: { kind: 'sickens', readyMs: 500, afterMs: 60_000 },
    policy: { ...CALM.policy, bakeMs: 300_000 },
  });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(runs()).toEqual(['v3']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
});

it.each(['v9', 'v1'])(
  'after a deploy of the earlier %s that was killed half-way, it goes to what was replaced',
  async (tag) => {
    const { run, runs } = fleetOf({ fleet: 3 });
    for (const one of ['v9', 'v3']) expect(await run('deploy', one)).toMatchObject({ outcome: 'succeeded' });
    const crash = { call: 'switch' as const, nth: 0, applied: true, power: false };
    expect(await run('deploy', tag, { crash })).toBeUndefined();
    expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
    expect(runs()).toEqual(['v3', 'v3', 'v3']);
  },
);

it('after a rollback that has failed, it goes to what that was replacing', async () => {
  const { run, runs } = fleetOf({ fleet: 4, onlyOn: 1 });
  for (const one of ['v9', 'v3']) expect(await run('deploy', one)).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(runs()).toEqual(['v2', 'v3', 'v3', 'v3']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v9' } });
});

it('on the only droplet, a deploy of an earlier release that was killed half-way is undone', async () => {
  const { run, runs } = fleetOf({ fleet: 1, target: 'droplet' });
  for (const tag of ['v9', 'v3']) expect(await run('deploy', tag)).toMatchObject({ outcome: 'succeeded' });
  const crash = { call: 'switch' as const, nth: 0, applied: true, power: false };
  expect(await run('deploy', 'v9', { crash })).toBeUndefined();
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
  expect(runs()).toEqual(['v3']);
});
