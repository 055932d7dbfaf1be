import { describe, expect, it } from 'vitest';
import type { TargetSettings } from '../../src/config/settings.js';
import { Ledger } from '../../src/deploy/fleet/ledger.js';
import { openTarget } from '../../src/targets/open-target.js';
import { aBalancer, aDroplet, FakeCloud, refused } from '../support/fake-cloud.js';
import { VirtualClock } from '../support/virtual-clock.js';

function open(cloud: FakeCloud, settings: TargetSettings) {
  const clock = new VirtualClock();
  return clock.run(openTarget(settings, cloud, clock, new Ledger(cloud, 'shop', 'production'), { newcomers: false }));
}

const byRef = (ref?: string): TargetSettings => ({ kind: 'load_balancer', ref });

describe('finding the autoscale pool', () => {
  const pooled = (pool: string): TargetSettings => ({ kind: 'load_balancer', pool });
  const withPools = (...names: string[]) => {
    const cloud = new FakeCloud();
    for (const [index, name] of names.entries()) cloud.pools.push({ id: `pool-${index}`, name, members: [] });
    return cloud;
  };

  it('takes an id or a name', async () => {
    for (const ref of ['pool-1', 'api']) {
      const cloud = withPools('web', 'api');
      const target = await open(cloud, pooled(ref));
      await target.waiting();
      expect(cloud.calls).toContain('listPoolMembers pool-1');
    }
  });

  it('is not looked for where none is named', async () => {
    const cloud = withPools('web');
    expect(await (await open(cloud, byRef())).waiting()).toEqual([]);
    expect(cloud.calls.filter((call) => /Pool/.test(call))).toEqual([]);
  });

  it('refuses what is not there, with the candidates, and a name that two have', async () => {
    await expect(open(withPools('web'), pooled('wbe'))).rejects.toMatchObject({
      code: 'pool-not-found',
      source: 'user',
      hint: expect.stringContaining('"web" (pool-0)'),
    });
    await expect(open(withPools('web', 'web'), pooled('web'))).rejects.toMatchObject({
      code: 'pool-ambiguous',
      hint: expect.stringContaining('pool-1'),
    });
  });
});

describe('finding the balancer', () => {
  it('takes an id, a name, or the only one', async () => {
    const cloud = new FakeCloud();
    for (const ref of ['4de7ac8b-495b-4884-9a69-1050c6793cd6', 'web', undefined]) {
      expect((await open(cloud, byRef(ref))).description).toBe('load balancer "web" (203.0.113.100)');
    }
  });

  it('never takes the first of several', async () => {
    const cloud = new FakeCloud([aBalancer(), aBalancer({ id: 'other', name: 'api' })]);
    await expect(open(cloud, byRef())).rejects.toMatchObject({
      code: 'balancer-ambiguous',
      source: 'user',
      hint: expect.stringContaining('"api" (other)'),
    });
  });

  it('refuses a name that two have', async () => {
    const cloud = new FakeCloud([aBalancer(), aBalancer({ id: 'other' })]);
    await expect(open(cloud, byRef('web'))).rejects.toMatchObject({ code: 'balancer-ambiguous' });
  });

  it.each(['wbe', '00000000-0000-4000-8000-000000000000'])(
    'lists the candidates when "%s" is not there',
    async (ref) => {
      await expect(open(new FakeCloud(), byRef(ref))).rejects.toMatchObject({
        code: 'balancer-not-found',
        hint: expect.stringContaining('"web" ('),
      });
    },
  );

  it('refuses a global one and one in error, and waits a minute for a new one', async () => {
    await expect(open(new FakeCloud([aBalancer({ type: 'GLOBAL' })]), byRef())).rejects.toMatchObject({
      code: 'balancer-global',
    });
    for (const status of ['errored', 'new'] as const) {
      await expect(open(new FakeCloud([aBalancer({ status })]), byRef())).rejects.toMatchObject({
        code: 'balancer-not-active',
      });
    }
  });
});

describe('a balancer that a tag manages', () => {
  const tagged = () => new FakeCloud([aBalancer({ tag: 'web' }), aBalancer({ id: 'b', name: 'api', tag: 'web' })]);

  it('says what else goes by the tag', async () => {
    const cloud = tagged();
    cloud.firewalls.push({ name: 'inner', tags: ['web'] });
    const { notices } = await open(cloud, byRef('web'));
    expect(notices).toEqual([expect.stringContaining('load balancer "api", firewall "inner"')]);
  });

  it('says what lets in those with the tag: a database, without which the app may not start', async () => {
    const cloud = tagged();
    cloud.firewalls.push({ name: 'database', tags: ['db'], peers: ['web'] });
    const { notices } = await open(cloud, byRef('web'));
    expect(notices).toEqual([expect.stringContaining('grant by the tag: firewall "database"')]);
  });

  it('says so when it cannot tell', async () => {
    const cloud = tagged();
    cloud.fail('firewallsWithTag', refused('forbidden'));
    expect((await open(cloud, byRef('web'))).notices[0]).toContain('firewall:read');
  });
});

describe('a single droplet', () => {
  it('is in no rotation, and no balancer is asked for', async () => {
    const cloud = new FakeCloud([aBalancer()], [aDroplet(7)]);
    const target = await open(cloud, { kind: 'droplet', id: 7 });
    expect((await target.readMembership()).droplets).toEqual([
      { droplet: aDroplet(7), rotation: 'none', inLedger: false },
    ]);
    expect(cloud.calls).toEqual(['getDroplet 7']);
  });

  it('that is not there is told by its id', async () => {
    const target = await open(new FakeCloud(), { kind: 'droplet', id: 7 });
    await expect(target.readMembership()).rejects.toMatchObject({ code: 'droplet-not-found', source: 'user' });
  });
});
