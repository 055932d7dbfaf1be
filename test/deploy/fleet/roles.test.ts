import { describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/config/settings.js';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { findFleets } from '../../../src/deploy/fleet/find-fleet.js';
import { mayHaveDowntime } from '../../../src/deploy/fleet/policy.js';
import { scopeOf, settingsOfRoles } from '../../../src/deploy/fleet/role-settings.js';
import { aDroplet, FakeCloud } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const settings = {
  app: 'shop',
  environment: 'production',
  profiles: ['all'],
  rollout: { batch: [1], minInRotation: undefined, onFailure: 'revert-fleet' },
  target: { kind: 'tag', tag: 'a' },
  roles: [
    { name: 'web', target: { kind: 'tag', tag: 'a' } },
    { name: 'worker', target: { kind: 'tag', tag: 'b' }, profiles: ['jobs'], batch: ['50%'], minInRotation: 1 },
  ],
} as unknown as Settings;

it('a role has what the environment has, but for what it says itself', () => {
  expect(settingsOfRoles(settings)).toMatchObject([
    { role: 'web', target: { tag: 'a' }, profiles: ['all'], rollout: { batch: [1], onFailure: 'revert-fleet' } },
    { role: 'worker', target: { tag: 'b' }, profiles: ['jobs'], rollout: { batch: ['50%'], minInRotation: 1 } },
  ]);
  expect(settingsOfRoles(settings).map(scopeOf)).toEqual(['production:web', 'production:worker']);
  const { roles: _, ...one } = settings;
  expect(settingsOfRoles(one)).toEqual([one]);
  expect(scopeOf(one)).toBe('production');
});

describe('the fleets of roles', () => {
  const find = (tags: Record<number, string[]>, overlap?: 'first') => {
    const droplets = Object.entries(tags).map(([id, own]) => aDroplet(Number(id), { tags: own }));
    const cloud = new FakeCloud([], droplets);
    return findFleets({ cloud, clock: new VirtualClock({ start: 0 }) } as unknown as DeployPorts, settings, {
      overlap,
    });
  };
  const idsOf = (fleets: Awaited<ReturnType<typeof findFleets>>) =>
    fleets.map(({ membership }) => membership.droplets.map(({ droplet }) => droplet.id));

  it('have their own droplets, and those that are recorded as out of them', async () => {
    const out = 'do-deploy:out:shop:production:worker';
    expect(idsOf(await find({ 1: ['a'], 2: ['b'], 3: [out] }))).toEqual([[1], [2, 3]]);
  });

  it('are refused where a droplet is in two of them', async () => {
    await expect(find({ 1: ['a'], 2: ['a', 'b'] })).rejects.toMatchObject({
      code: 'role-overlap',
      message: 'web-2 has two roles: web and worker.',
    });
    await expect(find({ 1: ['a', 'b'], 2: ['a', 'b'], 3: ['b'] })).rejects.toMatchObject({
      message: 'web-1 has two roles: web and worker. web-2 has two roles: web and worker.',
    });
  });

  it('may have droplets of one name: DigitalOcean allows that', async () => {
    const droplets = [aDroplet(1, { tags: ['a'] }), { ...aDroplet(2, { tags: ['a'] }), name: 'web-1' }];
    const ports = {
      cloud: new FakeCloud([], droplets),
      clock: new VirtualClock({ start: 0 }),
    } as unknown as DeployPorts;
    expect(idsOf(await findFleets(ports, { ...settings, roles: settings.roles?.slice(0, 1) }))).toEqual([[1, 2]]);
  });

  it('are to be corrected in the file that --config named', async () => {
    const droplets = [aDroplet(1, { tags: ['a', 'b'] })];
    const ports = {
      cloud: new FakeCloud([], droplets),
      clock: new VirtualClock({ start: 0 }),
    } as unknown as DeployPorts;
    const hint = expect.stringContaining('roles: in eu.yml.');
    await expect(findFleets(ports, { ...settings, config: 'eu.yml' })).rejects.toMatchObject({ hint });
    const none = { ...settings, config: 'eu.yml', roles: undefined, target: { kind: 'tag' as const, tag: 'c' } };
    await expect(findFleets(ports, none as unknown as Settings)).rejects.toMatchObject({
      hint: expect.stringContaining('tag: in eu.yml.'),
    });
  });

  it('count such a droplet to the first, where that is asked for', async () => {
    const fleets = await find({ 1: ['a'], 2: ['a', 'b'], 3: ['b'] }, 'first');
    expect(idsOf(fleets)).toEqual([[1, 2], [3]]);
    expect([...(fleets[0]?.alsoIn ?? [])]).toEqual([[2, ['worker']]]);
  });

  it('of one droplet without a balancer have no floor, unless they ask for one', async () => {
    const [web, worker] = await find({ 1: ['a'], 2: ['b'] });
    const [two] = await find({ 1: ['a'], 2: ['b'], 3: ['a'] });
    expect([web, worker, two].map((fleet) => fleet && mayHaveDowntime(fleet, false))).toEqual([true, false, false]);
    expect(worker && mayHaveDowntime(worker, true)).toBe(true);
  });
});
