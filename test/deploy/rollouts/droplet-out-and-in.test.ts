/** Droplets that are taken out by hand and brought back, in virtual time. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('by-hand');
});
afterAll(removeCopies);

const REASON =
  /web-2 was taken out by hand \(deployer-1@ci, 2026-\d\d-\d\d \d\d:\d\d:\d\d UTC\): the disk is failing: ticket #42/;

/** A fleet of three with web-2 out by hand. */
async function withOneOut() {
  const fleet = fleetOf({ fleet: 3 });
  const taken = await fleet.run('droplet out', 'web-2');
  const rotation = () => [...fleet.world.droplets.values()].map((droplet) => fleet.world.isMember(droplet));
  const marks = () =>
    [...fleet.world.droplets.values()].map(({ tags }) => [...tags].filter((tag) => /:(out|by-hand):/.test(tag)).length);
  return { ...fleet, taken, rotation, marks };
}

describe('a droplet that is taken out by hand', () => {
  it('leaves rotation as it is, and is recorded', async () => {
    const { world, taken, rotation, marks, runs } = await withOneOut();
    expect(taken).toMatchObject({ outcome: 'succeeded' });
    expect(taken?.rows.map(({ outcome }) => outcome)).toEqual(['not deployed', 'taken out', 'not deployed']);
    expect(rotation()).toEqual([true, false, true]);
    expect(marks()).toEqual([0, 2, 0]);
    expect(runs()).toEqual(['v1', 'v1', 'v1']);
    expect(world.monitor.violations).toEqual([]);
  });

  it.each(['deploy', 'heal', 'adopt', 'restart', 'rollback'] as const)('is left out by %s', async (command) => {
    const { world, run, rotation, marks } = await withOneOut();
    const end = await run(command, command === 'deploy' ? 'v3' : command === 'rollback' ? 'v0' : '');
    expect(end).toMatchObject({ outcome: command === 'heal' || command === 'adopt' ? 'skipped' : 'succeeded' });
    expect(end?.rows.map(({ name }) => name)).toEqual(['web-1', 'web-3']);
    expect(rotation()).toEqual([true, false, true]);
    expect(marks()).toEqual([0, 2, 0]);
    expect(world.monitor.violations).toEqual([]);
  });

  it('is left out by a deploy that cannot reach it', async () => {
    const { world, run, runs } = await withOneOut();
    const [, two] = [...world.droplets.values()];
    if (two === undefined) throw new Error('no second droplet');
    two.status = 'off';
    expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
    expect(runs()).toEqual(['v3', 'v1', 'v3']);
  });

  it('comes back on the release that the fleet runs by now', async () => {
    const { world, run, rotation, marks, runs } = await withOneOut();
    await run('deploy', 'v3');
    const back = await run('droplet in', 'web-2');
    expect(back?.error).toBeUndefined();
    expect(back).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v3' } });
    expect(runs()).toEqual(['v3', 'v3', 'v3']);
    expect(rotation()).toEqual([true, true, true]);
    expect(marks()).toEqual([0, 0, 0]);
    expect([...world.tags].filter((tag) => tag.includes(':by-hand:'))).toEqual([]);
    expect(world.monitor.violations).toEqual([]);
  });

  it('needs nothing when it is out, or in, already', async () => {
    const { run } = await withOneOut();
    const out = await run('droplet out', 'web-2');
    expect(out).toMatchObject({ outcome: 'skipped', summary: expect.stringMatching(REASON) });
    expect(await run('droplet in', 'web-1')).toMatchObject({ outcome: 'skipped', summary: 'web-1 is in rotation.' });
  });

  it('stays out where a check fails on the way back, and the command is named that tries again', async () => {
    const { run, rotation, marks } = await withOneOut();
    const fails = { faults: [{ call: 'switch', nth: 0, fault: 'fails' as const, applied: false, roll: 0.5 }] };
    expect(await run('droplet in', 'web-2', fails)).toMatchObject({
      outcome: 'failed',
      next: 'do-deploy droplet in production web-2',
    });
    expect(rotation()).toEqual([true, false, true]);
    expect(marks()).toEqual([0, 2, 0]);
    expect(await run('droplet in', 'web-2')).toMatchObject({ outcome: 'succeeded' });
  });
});

it('the last droplet that the floor needs is not taken out', async () => {
  const { run } = fleetOf({ fleet: 2 });
  expect(await run('droplet out', 'web-1')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('droplet out', 'web-2')).toMatchObject({ outcome: 'failed', error: { code: 'fleet-of-one' } });
  const three = fleetOf({ fleet: 3, policy: { ...fleetOf().world.story.policy, minInRotation: 2 } });
  expect(await three.run('droplet out', 'web-1')).toMatchObject({ outcome: 'succeeded' });
  expect(await three.run('droplet out', 'web-2')).toMatchObject({
    outcome: 'failed',
    error: { code: 'floor-impossible' },
  });
});

it.each([
  [
    'is put back by Ctrl-C while it is drained',
    { interrupt: { call: 'remove', nth: 0 } },
    'interrupted',
    [true, true, true],
  ],
  [
    'is left out by a crash before its record, as by any run',
    { crash: { call: 'remove', nth: 0, applied: true, power: false } },
    undefined,
    [true, false, true],
  ],
] as const)('a droplet %s', async (_, plan, outcome, expected) => {
  const { world, run } = fleetOf({ fleet: 3 });
  const end = await run('droplet out', 'web-2', plan);
  expect(end?.outcome).toBe(outcome);
  const rotation = () => [...world.droplets.values()].map((droplet) => world.isMember(droplet));
  expect(rotation()).toEqual(expected);
  await run('heal');
  expect(rotation()).toEqual([true, true, true]);
  expect(world.monitor.violations).toEqual([]);
});

it('names the droplets where there is none of that name, and refuses where there is no balancer', async () => {
  const unknown = await fleetOf({ fleet: 3 }).run('droplet out', 'web-9');
  expect(unknown).toMatchObject({ outcome: 'failed', error: { code: 'unknown-droplet', source: 'user' } });
  expect(unknown?.error?.hint).toContain('web-2');
  const workers = fleetOf({ fleet: 3, target: 'tagged', load: { rate: 0, requestMs: 20, spread: 'even' } });
  expect(await workers.run('droplet out', 'web-1')).toMatchObject({ error: { code: 'no-rotation', source: 'user' } });
});
