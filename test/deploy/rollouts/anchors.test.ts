/** Complete runs in virtual time: which release the fleet is on, by what deployers have recorded. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('anchors');
});
afterAll(removeCopies);

type World = ReturnType<typeof fleetOf>['world'];
const AHEAD = { clockAheadMs: 3 * 3_600_000 };
const anchors = ({ tags }: World) =>
  [...tags].flatMap((tag) => /^do-deploy:release:shop:production:(\d+):/.exec(tag)?.[1] ?? []);
/** When the n-th droplet is confirmed, counted from 0: it is done first. */
const interruptAt = (nth: number) => ({ interrupt: { call: 'confirm' as const, nth } });

it('a deployer whose clock is three hours ahead makes a later adopt go forward all the same', async () => {
  const { run, runs } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v3', AHEAD)).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v9', interruptAt(0))).toMatchObject({ outcome: 'interrupted' });
  expect(runs()).toEqual(['v9', 'v3', 'v3']);
  expect(await run('adopt')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v9' } });
  expect(runs()).toEqual(['v9', 'v9', 'v9']);
});

it('and a later heal', async () => {
  const { run, runs } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v3', AHEAD)).toMatchObject({ outcome: 'succeeded' });
  const crash = { call: 'switch' as const, nth: 1, applied: true, power: false };
  expect(await run('deploy', 'v9', { crash })).toBeUndefined();
  expect(await run('heal')).toMatchObject({ outcome: 'succeeded' });
  expect(runs(), 'as many run v3 as v9, which was deployed last').toEqual(['v9', 'v9', 'v3']);
});

it('and a rollback goes to what was deployed before, by count', async () => {
  const { run, runs } = fleetOf({ fleet: 2 });
  expect(await run('deploy', 'v3', AHEAD)).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v9')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
  expect(runs()).toEqual(['v3', 'v3']);
});

it('a release that a droplet had to be taken back from is not brought to others', async () => {
  const { world, run, runs } = fleetOf({ fleet: 3, onlyOn: 1 });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  expect(runs()).toEqual(['v2', 'v3', 'v3']);
  expect(anchors(world)).toEqual(['1']);
  expect(await run('adopt')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
  expect(runs()).toEqual(['v3', 'v3', 'v3']);
});

it('a fleet that is not anchored yet goes by its droplets, and is anchored by the next deploy', async () => {
  const { world, run, runs } = fleetOf({ fleet: 3 });
  expect(await run('adopt')).toMatchObject({ outcome: 'skipped', release: { imageTag: 'v1' } });
  expect(await run('heal')).toMatchObject({ outcome: 'skipped' });
  expect(anchors(world)).toEqual([]);
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(anchors(world)).toEqual(['1']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(runs()).toEqual(['v1', 'v1', 'v1']);
  expect(anchors(world)).toEqual(['1', '2']);
});

it('a droplet whose release cannot be recorded fails, and so ends the rollout', async () => {
  const { world, run } = fleetOf({ fleet: 3 });
  const faults = [{ call: 'create-tag' as const, nth: 1, fault: 'no' as const, applied: false, roll: 0.5 }];
  expect(await run('deploy', 'v3', { faults })).toMatchObject({ outcome: 'failed', next: 'do-deploy heal production' });
  expect(anchors(world)).toEqual([]);
});

it('adopt does nothing while most droplets run what no deployer has recorded', async () => {
  const { world, run, runs } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  const known = [...world.tags];
  expect(await run('deploy', 'v9')).toMatchObject({ outcome: 'succeeded' });
  for (const tag of [...world.tags]) if (!known.includes(tag)) world.tags.delete(tag);
  expect(await run('adopt')).toMatchObject({ outcome: 'failed', error: { code: 'release-disputed' } });
  expect(runs()).toEqual(['v9', 'v9', 'v9']);
  expect(await run('deploy', 'v9')).toMatchObject({ outcome: 'skipped' });
  expect(await run('adopt')).toMatchObject({ outcome: 'skipped', release: { imageTag: 'v9' } });
});

it('a deploy of the same bytes takes no record from a droplet, and repairs one that was changed', async () => {
  const { world, run } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  const disks = [...world.droplets.values()].map(({ disk }) => disk);
  const recordsOn = (id: string) => disks.map(({ releases }) => releases.get(id)?.text);
  const id = disks[0]?.current ?? '';
  const [honest = ''] = recordsOn(id);
  const forged = JSON.stringify({ ...JSON.parse(honest), services: [], composeFiles: ['evil.yml'], createdBy: 'root' });
  const held = disks[0]?.releases.get(id);
  if (held !== undefined) held.text = forged;
  expect(await run('deploy', 'v3', { force: true })).toMatchObject({ outcome: 'succeeded', release: { id } });
  for (const text of recordsOn(id)) {
    const { services, composeFiles } = JSON.parse(honest);
    expect(JSON.parse(text ?? '')).toMatchObject({ services, composeFiles });
  }
});

it('and no id that only one droplet has for them', async () => {
  const { world, run } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  const [first] = [...world.droplets.values()];
  const held = first?.disk.releases.get(first.disk.current ?? '');
  if (first === undefined || held === undefined) expect.unreachable();
  const record = { ...held.record, id: '20991231T235959Z-v3' };
  first.disk.releases.set(record.id, { ...held, record, text: JSON.stringify(record) });
  const again = await run('deploy', 'v3', { force: true });
  expect(again).toMatchObject({ outcome: 'succeeded', release: { id: held.record.id } });
});

it('a rollback goes nowhere where a droplet has changed its record of the release', async () => {
  const { world, run, runs } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  const [first] = [...world.droplets.values()];
  for (const held of first?.disk.releases.values() ?? []) {
    held.text = JSON.stringify({ ...held.record, envFiles: ['evil.env'] });
  }
  const back = await run('rollback', 'v1');
  expect(back).toMatchObject({ outcome: 'failed', error: { code: 'release-gone' } });
  expect(back?.error?.message).toMatch(/ is not on web-1\.$/);
  expect(runs()).toEqual(['v3', 'v3', 'v3']);
});

it('a single droplet needs no anchor', async () => {
  const { world, run } = fleetOf({ fleet: 1, target: 'droplet' });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(world.tags.size).toBe(0);
});
