import { beforeEach, describe, expect, it } from 'vitest';
import { Anchors } from '../../../src/deploy/fleet/anchors.js';
import { GoalAnchor } from '../../../src/deploy/fleet/goal-anchor.js';
import { releaseHash } from '../../../src/deploy/release/release-hash.js';
import { FakeCloud, lost, refused } from '../../support/fake-cloud.js';
import { aRecord } from '../../support/records.js';

const hash = (letter: string) => letter.repeat(40);
const [A, B] = [hash('a'), hash('b')];
const tag = (sequence: number, of: string) => `do-deploy:release:shop:production:${sequence}:${of}`;
const held = async () => {};

let cloud: FakeCloud;
let anchors: Anchors;
beforeEach(() => {
  cloud = new FakeCloud();
  anchors = new Anchors(cloud, { app: 'shop', environment: 'production' }, true);
});

describe('anchors', () => {
  it('are read in the order of their count, the newest first', async () => {
    for (const one of [tag(9, A), tag(10, B)]) cloud.tags.add(one);
    expect(await anchors.read()).toEqual([
      { sequence: 10, hash: B },
      { sequence: 9, hash: A },
    ]);
  });

  it.each([
    'do-deploy:out:shop:production',
    `do-deploy:release:shop:staging:1:${A}`,
    `do-deploy:release:shop-2:production:1:${A}`,
    `do-deploy:release:shop:production:0:${A}`,
    `do-deploy:release:shop:production:01:${A}`,
    `do-deploy:release:shop:production:-1:${A}`,
    `do-deploy:release:shop:production:1e9:${A}`,
    `do-deploy:release:shop:production:${'9'.repeat(16)}:${A}`,
    `do-deploy:release:shop:production:1:${A}0`,
    `do-deploy:release:shop:production:1:${A.slice(1)}`,
    `do-deploy:release:shop:production:1:${A.toUpperCase()}`,
    `x-do-deploy:release:shop:production:1:${A}`,
  ])('of this fleet do not include %s', async (other) => {
    cloud.tags.add(other);
    expect(await anchors.read()).toEqual([]);
  });

  it('are written and removed in spite of a lost answer, and not after a refusal', async () => {
    cloud.fail('createTag', lost(false), lost(true));
    await anchors.write({ sequence: 1, hash: A }, held);
    expect([...cloud.tags]).toEqual([tag(1, A)]);
    cloud.fail('deleteTag', lost(true));
    await anchors.remove({ sequence: 1, hash: A }, held);
    expect([...cloud.tags]).toEqual([]);
    cloud.fail('createTag', refused('forbidden'));
    await expect(anchors.write({ sequence: 1, hash: A }, held)).rejects.toMatchObject({ kind: 'forbidden' });
  });

  it('are neither written nor removed once the lease is lost', async () => {
    cloud.tags.add(tag(1, A));
    const lostLease = () => Promise.reject(new Error('lease-lost'));
    await expect(anchors.write({ sequence: 2, hash: B }, lostLease)).rejects.toThrow('lease-lost');
    await expect(anchors.remove({ sequence: 1, hash: A }, lostLease)).rejects.toThrow('lease-lost');
    expect([...cloud.tags]).toEqual([tag(1, A)]);
  });

  it('are not kept for a droplet without a balancer', async () => {
    const none = new Anchors(cloud, { app: 'shop', environment: 'production' }, false);
    await none.write({ sequence: 1, hash: A }, held);
    await none.remove({ sequence: 1, hash: A }, held);
    expect(await none.read()).toEqual([]);
    expect(cloud.calls).toEqual([]);
  });
});

describe('the release of a rollout', () => {
  const [v1, v2] = [aRecord('20261101T000000Z-v1'), aRecord('20261121T000000Z-v2')];
  const goal = async () => new GoalAnchor(anchors, await anchors.read(), v2);
  const v1IsAnchored = () => cloud.tags.add(tag(4, releaseHash(v1)));

  it('is anchored once, when the first droplets run it, verified', async () => {
    v1IsAnchored();
    const anchor = await goal();
    await Promise.all([anchor.verified(v2, held), anchor.verified(v2, held)]);
    expect([...cloud.tags]).toEqual([tag(4, releaseHash(v1)), tag(5, releaseHash(v2))]);
    expect(cloud.calls.filter((call) => call.startsWith('createTag'))).toHaveLength(1);
  });

  it('is not anchored again where it was the last', async () => {
    cloud.tags.add(tag(4, releaseHash(v2)));
    await (await goal()).verified(v2, held);
    expect([...cloud.tags]).toEqual([tag(4, releaseHash(v2))]);
  });

  it('counts no more when a droplet had to go back from it, whatever droplets of its batch do later', async () => {
    v1IsAnchored();
    const anchor = await goal();
    await anchor.verified(v2, held);
    await Promise.all([anchor.verified(v1, held), anchor.verified(v2, held)]);
    expect([...cloud.tags]).toEqual([tag(4, releaseHash(v1))]);
  });

  it('counts no more when the rollout has ended with a droplet on which it failed', async () => {
    v1IsAnchored();
    const anchor = await goal();
    await anchor.verified(v2, held);
    await anchor.condemned(false, held);
    expect([...cloud.tags]).toEqual([tag(4, releaseHash(v1))]);
  });

  it('of an earlier run stays while droplets run it, and counts no more once all had to go back', async () => {
    v1IsAnchored();
    cloud.tags.add(tag(5, releaseHash(v2)));
    const anchor = await goal();
    await anchor.verified(v1, held);
    await anchor.condemned(false, held);
    expect([...cloud.tags]).toEqual([tag(4, releaseHash(v1)), tag(5, releaseHash(v2))]);
    await anchor.condemned(true, held);
    expect([...cloud.tags]).toEqual([tag(4, releaseHash(v1))]);
  });

  it('is removed also if the answer to its anchor was lost', async () => {
    cloud.fail('createTag', lost(true), lost(true), lost(true));
    const anchor = await goal();
    await expect(anchor.verified(v2, held)).rejects.toMatchObject({ outcome: 'unknown' });
    expect(cloud.tags.size).toBe(1);
    await anchor.verified(v1, held);
    expect(cloud.tags.size).toBe(0);
  });

  it('keeps the anchor that it had before this run', async () => {
    cloud.tags.add(tag(4, releaseHash(v2)));
    const anchor = await goal();
    await anchor.verified(v2, held);
    await anchor.verified(v1, held);
    expect([...cloud.tags]).toEqual([tag(4, releaseHash(v2))]);
  });

  it('leaves the newest ten anchors, and all other tags', async () => {
    const others = ['web', 'do-deploy:out:shop:production', `do-deploy:release:shop:staging:1:${A}`];
    for (const other of others) cloud.tags.add(other);
    for (let sequence = 1; sequence <= 10; sequence += 1) cloud.tags.add(tag(sequence, sequence % 2 ? A : B));
    cloud.fail('deleteTag', refused('server'));
    await (await goal()).verified(v2, held);
    expect(await anchors.read(), 'one that cannot be removed now stays').toHaveLength(11);
    await new GoalAnchor(anchors, await anchors.read(), v1).verified(v1, held);
    expect((await anchors.read()).map(({ sequence }) => sequence)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    expect([...cloud.tags]).toEqual(expect.arrayContaining(others));
  });
});

describe('canaries', () => {
  const canary = (scope: string, of: string) => `do-deploy:canary:shop:${scope}:${of}`;
  const ofRole = (role: string) => new Anchors(cloud, { app: 'shop', environment: 'production', role }, true);

  it.each([
    ['by the environment', 'production'],
    ['by a role', 'production:web'],
  ])('that were recorded %s are read by each role, and by an environment without', async (_, scope) => {
    for (const tag of [canary(scope, A), canary('staging', B), canary('production:web:x', B)]) cloud.tags.add(tag);
    for (const one of [anchors, ofRole('web'), ofRole('worker')]) {
      expect((await one.readWithCanaries()).canaries).toEqual([A]);
    }
    const alone = new Anchors(cloud, { app: 'shop', environment: 'production', role: 'worker' }, false);
    expect(await alone.readWithCanaries()).toEqual({ anchored: [], canaries: [A] });
  });

  it('are removed wherever they were recorded', async () => {
    const tags = [canary('production:web', A), canary('production:worker', A), canary('production', A)];
    for (const tag of [...tags, canary('production:web', B)]) cloud.tags.add(tag);
    const { canaries } = await anchors.readWithCanaries();
    expect(canaries).toEqual([A, B]);
    await anchors.canary.remove(A, held);
    expect([...cloud.tags]).toEqual([canary('production:web', B)]);
  });

  it('are written for the environment', async () => {
    await ofRole('web').canary.write(A, held);
    expect([...cloud.tags]).toEqual([canary('production', A)]);
  });
});
