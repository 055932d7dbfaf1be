/** Plans of simulated fleets: what they say, and that they change nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CALM } from '../../simulation/calm.js';
import type { Planned } from '../../simulation/plan-fleet.js';
import type { Scenario } from '../../simulation/scenario.js';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('plan');
});
afterAll(removeCopies);

const batches = ({ plan }: Planned) =>
  plan.batches.map(({ droplets, serving, floor }) => [...droplets, serving, floor]);
const actions = ({ plan }: Planned) => plan.droplets.map(({ name, action }) => `${name} ${action}`);
const codes = ({ plan }: Planned) => plan.findings.flatMap((one) => (one.kind === 'refused' ? one.code : []));
const notes = ({ plan }: Planned) => plan.findings.flatMap((one) => (one.kind === 'note' ? one.message : []));

/** Ids, tags and files of everything: what a plan must leave as it was. */
function stateOf({ world }: ReturnType<typeof fleetOf>): string {
  const droplets = [...world.droplets.values()].map(({ disk, tags, containers, lock }) => {
    // Their other fields count the checks that reach them.
    return [disk, tags, containers.map(({ id, startedAt }) => [id, startedAt]), lock];
  });
  const members = [...world.droplets.values()].map((droplet) => world.isMember(droplet));
  return JSON.stringify([droplets, members], (_, value) =>
    value instanceof Map || value instanceof Set ? [...value] : value,
  );
}

describe('a plan changes nothing', () => {
  const FLEETS: [string, Partial<Scenario>][] = [
    ['behind a balancer', { fleet: 3 }],
    ['of workers with a tag', { fleet: 3, target: 'tagged' }],
    ['in a list', { fleet: 3, target: 'listed' }],
    ['of one droplet', { fleet: 1, target: 'droplet' }],
    ['with roles', { fleet: 4, target: 'roles' }],
  ];
  it.each(FLEETS)('on a fleet %s', async (_, story) => {
    const fleet = fleetOf({ ...story, policy: { ...CALM.policy, allowDowntime: story.fleet === 1 } });
    for (const command of ['deploy', 'rollback'] as const) {
      const before = stateOf(fleet);
      const { plan, calls, commands, others } = await fleet.plan({
        command,
        imageTag: command === 'deploy' ? 'v9' : '',
      });
      expect(plan.changes).toBe(true);
      expect(plan.findings.filter(({ kind }) => kind === 'refused')).toEqual([]);
      expect(calls.length).toBeGreaterThan(0);
      expect(calls.filter((name) => !/^(get|list|firewalls)/.test(name))).toEqual([]);
      expect(commands.length).toBeGreaterThan(0);
      expect(commands.filter(({ reads }) => reads !== true).map(({ name }) => name)).toEqual([]);
      expect(others).toEqual([]);
      expect(stateOf(fleet)).toBe(before);
    }
  });
});

describe('the order', () => {
  it('is that of the deploy which follows', async () => {
    const { plan, run, world } = fleetOf({ fleet: 5, policy: { ...CALM.policy, batch: [1, 2] } });
    const planned = await plan();
    expect(batches(planned)).toEqual([
      ['web-1', 4, 4],
      ['web-2', 'web-3', 3, 3],
      ['web-4', 'web-5', 3, 3],
    ]);
    world.trace = [];
    expect(await run('deploy', 'v9')).toMatchObject({ outcome: 'succeeded' });
    const events = world.trace.flatMap((line) => /\{"schema".*\}$/.exec(line)?.[0] ?? []).map((one) => JSON.parse(one));
    const done = events.filter(({ type }) => type === 'batch-started').map(({ droplets }) => droplets);
    expect(done).toEqual(planned.plan.batches.map(({ droplets }) => droplets));
  });

  it('begins with a droplet that does not serve', async () => {
    const fleet = fleetOf({ fleet: 3 });
    const crash = { call: 'switch', nth: 0, applied: true, power: false };
    expect(await fleet.run('deploy', 'v3', { crash })).toBeUndefined();
    const planned = await fleet.plan();
    expect(planned.plan.batches[0]).toMatchObject({ leaving: [], serving: 2, floor: 2 });
    expect(planned.plan.batches).toHaveLength(3);
  });

  it('ends at a canary, and what is held keeps its release', async () => {
    const fleet = fleetOf({ fleet: 3 });
    const planned = await fleet.plan({ part: { canary: 'first batch' } });
    expect(actions(planned)).toEqual(['web-1 deployed', 'web-2 held', 'web-3 held']);
    expect(actions(await fleet.plan({ part: { droplets: ['web-2'] } }))).toEqual([
      'web-1 held',
      'web-2 deployed',
      'web-3 held',
    ]);
  });
});

describe('nothing to do', () => {
  it('where everything runs these files and this tag already, unless it is forced', async () => {
    const fleet = fleetOf();
    await fleet.run('deploy', 'v9');
    expect(await fleet.plan()).toMatchObject({ plan: { changes: false, batches: [], release: { imageTag: 'v9' } } });
    expect(await fleet.plan({ force: true })).toMatchObject({ plan: { changes: true } });
    expect(await fleet.plan({ imageTag: 'v3' })).toMatchObject({ plan: { changes: true } });
  });
});

describe('findings', () => {
  it('a canary that is held: the deploy takes its place, and no other canary is possible', async () => {
    const fleet = fleetOf({ fleet: 3 });
    expect(await fleet.run('deploy', 'v9', { canary: 1 })).toMatchObject({ outcome: 'succeeded' });
    expect(notes(await fleet.plan({ imageTag: 'v3' }))).toEqual([
      'A canary of v9 is held on web-1. This deploy takes its place.',
    ]);
    expect(codes(await fleet.plan({ imageTag: 'v3', part: { canary: 1 } }))).toEqual(['canary-held']);
    const back = await fleet.plan({ command: 'rollback', imageTag: '' });
    expect([codes(back), notes(back)]).toEqual([['canary-held'], []]);
    expect(notes(await fleet.plan({ command: 'rollback', imageTag: '', wanted: 'v0' }))).toEqual([
      'A canary of v9 is held on web-1. This rollback takes its place.',
    ]);
  });

  it('a droplet that does not answer is said, and the others are planned', async () => {
    const fleet = fleetOf({ fleet: 3 });
    const [first] = [...fleet.world.droplets.values()];
    if (first) first.sshRefusedUntil = Number.POSITIVE_INFINITY;
    const planned = await fleet.plan();
    expect(actions(planned)).toEqual(['web-1 not reached', 'web-2 deployed', 'web-3 deployed']);
    expect(planned.plan.findings).toMatchObject([{ kind: 'refused', droplet: 'web-1' }, { code: 'capacity-floor' }]);
    expect(codes(await fleet.plan({ skip: 'fail' }))).toEqual([]);
  });

  it('a droplet that was taken out by hand', async () => {
    const fleet = fleetOf({ fleet: 3 });
    await fleet.run('droplet out', 'web-2');
    const planned = await fleet.plan();
    expect(actions(planned)).toEqual(['web-1 deployed', 'web-3 deployed', 'web-2 taken out by hand']);
    expect(notes(planned)).toEqual([expect.stringMatching(/^web-2 was taken out by hand .*It stays out\.$/)]);
  });

  it('a fleet of one, a floor that cannot be kept, and one without an earlier release', async () => {
    expect(codes(await fleetOf({ fleet: 1 }).plan())).toContain('fleet-of-one');
    const impossible = fleetOf({ policy: { ...CALM.policy, minInRotation: 2 } });
    expect(codes(await impossible.plan())).toEqual(['floor-impossible', 'capacity-floor']);
    const without = fleetOf();
    expect(codes(await without.plan({ command: 'rollback', imageTag: '', wanted: 'v77' }))).toEqual([
      'no-such-release',
    ]);
  });
});
