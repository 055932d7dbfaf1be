import { describe, expect, it } from 'vitest';
import type { TargetSettings } from '../../src/config/settings.js';
import { Ledger } from '../../src/deploy/fleet/ledger.js';
import { openTarget } from '../../src/targets/open-target.js';
import { aDroplet, FakeCloud } from '../support/fake-cloud.js';
import { VirtualClock } from '../support/virtual-clock.js';

const LEDGER_TAG = 'do-deploy:out:shop:production';

const named = (id: number, name: string, ...tags: string[]) => ({ ...aDroplet(id), name, tags });

function cloudOf(...droplets: ReturnType<typeof named>[]) {
  return new FakeCloud([], droplets);
}

function open(cloud: FakeCloud, settings: TargetSettings) {
  const ledger = new Ledger(cloud, 'shop', 'production');
  return openTarget(settings, cloud, new VirtualClock(), ledger, { newcomers: false });
}

const idsOf = async (cloud: FakeCloud, settings: TargetSettings) =>
  (await (await open(cloud, settings)).readMembership()).droplets.map(({ droplet }) => droplet.id);

describe('droplets by tag', () => {
  const tag = (name: string): TargetSettings => ({ kind: 'tag', tag: name });

  it('are all that have it, however it is capitalised, and those in the ledger', async () => {
    const cloud = cloudOf(
      named(3, 'c', 'Workers'),
      named(1, 'a', 'workers'),
      named(2, 'b', 'workers-2'),
      named(4, 'd', LEDGER_TAG),
    );
    expect(await idsOf(cloud, tag('workers'))).toEqual([1, 3, 4]);
    expect((await (await open(cloud, tag('workers'))).readMembership()).droplets).toMatchObject([
      { rotation: 'none', inLedger: false },
      { rotation: 'none', inLedger: false },
      { rotation: 'none', inLedger: true },
    ]);
  });

  it('are read each time: one that is tagged meanwhile belongs to them', async () => {
    const cloud = cloudOf(named(1, 'a', 'workers'), named(2, 'b'));
    const target = await open(cloud, tag('workers'));
    cloud.droplets[1]?.tags.push('workers');
    expect((await target.readMembership()).droplets).toHaveLength(2);
  });

  it('neither leave nor rejoin anything', async () => {
    const cloud = cloudOf(named(1, 'a', 'workers'));
    const target = await open(cloud, tag('workers'));
    expect(await target.leave(1)).toBe('shown');
    await target.rejoin(1);
    expect(cloud.calls).toEqual([]);
    expect(target).toMatchObject({ isFleet: true, description: 'tag "workers"' });
  });
});

describe('droplets of a list', () => {
  const list = (...droplets: (number | string)[]): TargetSettings => ({ kind: 'droplets', droplets });
  const cloud = () => cloudOf(named(1, 'a'), named(2, 'b'), named(3, 'b'), named(4, 'd'));

  it('are named by id or by name', async () => {
    expect(await idsOf(cloud(), list('d', 1, 4))).toEqual([1, 4]);
  });

  it('that do not exist are named, all at once', async () => {
    await expect(open(cloud(), list(1, 77, 'x'))).rejects.toMatchObject({
      code: 'droplet-not-found',
      source: 'user',
      message: 'There are no droplets 77, x.',
    });
    await expect(open(cloud(), list(78))).rejects.toMatchObject({ message: 'There is no droplet 78.' });
  });

  it('are never one of several with the same name', async () => {
    await expect(open(cloud(), list('b'))).rejects.toMatchObject({
      code: 'droplet-ambiguous',
      message: 'Several droplets have the same name: "b" (2, 3).',
    });
  });

  it('no longer include one that is destroyed in the middle of a rollout', async () => {
    const api = cloud();
    const target = await open(api, list(1, 4));
    api.droplets.splice(0, 1);
    expect((await target.readMembership()).droplets.map(({ droplet }) => droplet.id)).toEqual([4]);
  });
});
