import { describe, expect, it } from 'vitest';
import { Ledger } from '../../src/deploy/fleet/ledger.js';
import type { LoadBalancer } from '../../src/ports.js';
import { LoadBalancerTarget } from '../../src/targets/load-balancer.js';
import { aBalancer, aDroplet, FakeCloud, lost, refused } from '../support/fake-cloud.js';
import { VirtualClock } from '../support/virtual-clock.js';

const LEDGER_TAG = 'do-deploy:out:shop:production';

function targetOn(cloud: FakeCloud) {
  const clock = new VirtualClock();
  const [balancer = aBalancer()] = cloud.balancers;
  const target = new LoadBalancerTarget(cloud, clock, balancer, new Ledger(cloud, 'shop', 'production'));
  return { target, clock, members: () => cloud.balancers[0]?.dropletIds };
}

describe('the address as a visitor asks for it', () => {
  const urlOf = (balancer: Partial<LoadBalancer>) =>
    targetOn(new FakeCloud([aBalancer(balancer)], [])).target.publicUrl;
  const check = (changes: Partial<LoadBalancer['healthCheck']>) => ({ ...aBalancer().healthCheck, ...changes });

  it('is the health path where the balancer takes plain HTTP', () => {
    expect(urlOf({ httpPort: 80, healthCheck: check({ path: '/healthz' }) })).toBe('http://203.0.113.100/healthz');
    expect(urlOf({ httpPort: 8080, healthCheck: check({ protocol: 'tcp' }) })).toBe('http://203.0.113.100:8080/');
  });

  it('is unknown without an address, or where HTTP is not taken', () => {
    expect(urlOf({ httpPort: 80, ip: '' })).toBeUndefined();
    expect(urlOf({})).toBeUndefined();
  });
});

describe('the fleet of a load balancer', () => {
  it('is its droplets and those in the ledger, by id', async () => {
    const cloud = new FakeCloud(
      [aBalancer({ dropletIds: [3, 1] })],
      [aDroplet(3), aDroplet(2, { tags: [LEDGER_TAG] }), aDroplet(1), aDroplet(9)],
    );
    const { droplets } = await targetOn(cloud).target.readMembership();
    expect(droplets.map(({ droplet, rotation, inLedger }) => [droplet.id, rotation, inLedger])).toEqual([
      [1, 'in', false],
      [2, 'out', true],
      [3, 'in', false],
    ]);
  });

  it('has the droplets of the autoscale pool that run only where newcomers are asked for; else they wait', async () => {
    const pool = { id: 'pool-1', name: 'web-pool', members: [3, 4, 5, 6] };
    const droplets = [
      aDroplet(1),
      aDroplet(3),
      aDroplet(4),
      aDroplet(5, { status: 'new' }),
      aDroplet(6, { tags: [LEDGER_TAG] }),
    ];
    const fleetWith = async (newcomers: boolean) => {
      const cloud = new FakeCloud([aBalancer({ dropletIds: [1, 3] })], structuredClone(droplets));
      cloud.pools.push(pool);
      const [balancer = aBalancer()] = cloud.balancers;
      const ledger = new Ledger(cloud, 'shop', 'production');
      const target = new LoadBalancerTarget(cloud, new VirtualClock(), balancer, ledger, { pool, newcomers });
      const look = await target.readMembership();
      return {
        fleet: look.droplets.map(({ droplet, rotation }) => [droplet.id, rotation]),
        waiting: (await target.waiting()).map(({ id }) => id),
      };
    };
    const known = [
      [1, 'in'],
      [3, 'in'],
    ];
    expect(await fleetWith(false)).toEqual({ fleet: [...known, [6, 'out']], waiting: [4] });
    expect(await fleetWith(true)).toEqual({ fleet: [...known, [4, 'out'], [6, 'out']], waiting: [] });
  });

  it('is asked for with two calls, whatever its size', async () => {
    const cloud = new FakeCloud();
    await targetOn(cloud).target.readMembership();
    expect(cloud.calls).toHaveLength(2);
  });

  it('is reached on the ports of the rules and of the health check', () => {
    const healthCheck = { ...aBalancer().healthCheck, port: 8080 };
    const cloud = new FakeCloud([aBalancer({ targetPorts: [80, 443], healthCheck })]);
    expect(targetOn(cloud).target.ports).toEqual([80, 443, 8080]);
  });

  it('comes over the VPC from a regional balancer, from anywhere from a network one', () => {
    const overVpc = (type: string) => targetOn(new FakeCloud([aBalancer({ type })])).target.overVpc;
    expect([overVpc('REGIONAL'), overVpc('REGIONAL_NETWORK')]).toEqual([true, false]);
  });

  it.each<[string, Partial<LoadBalancer>, boolean]>([
    ['each request to any droplet', {}, true],
    ['a client to a droplet, by a cookie', { sticky: true }, false],
    ['perhaps a client to a droplet, as a network balancer', { type: 'REGIONAL_NETWORK' }, false],
    ['requests over connections that it keeps', { backendKeepalive: true }, false],
  ])('sends %s', (_, fields, evenShares) => {
    expect(targetOn(new FakeCloud([aBalancer(fields)])).target.evenShares).toBe(evenShares);
  });
});

describe('leaving and rejoining', () => {
  it('returns when DigitalOcean shows it, not when it answers', async () => {
    const cloud = new FakeCloud();
    const { target, clock } = targetOn(cloud);
    cloud.lag = 3;
    await clock.run(target.leave(2));
    expect(cloud.calls.filter((call) => call.startsWith('getLoadBalancer'))).toHaveLength(4);
  });

  it('asks for the balancer once for all droplets that wait for it at the time', async () => {
    const ids = [1, 2, 3, 4, 5, 6, 7, 8];
    const cloud = new FakeCloud(
      [aBalancer({ dropletIds: ids })],
      ids.map((id) => aDroplet(id)),
    );
    const { target, clock, members } = targetOn(cloud);
    await clock.run(Promise.all(ids.map((id) => target.leave(id))));
    expect(members()).toEqual([]);
    const looks = cloud.calls.filter((call) => call.startsWith('getLoadBalancer'));
    expect(looks.length).toBeLessThan(4);
  });

  it('waits for the balancer to be active again', async () => {
    const cloud = new FakeCloud([aBalancer({ status: 'new' })]);
    const { target, clock } = targetOn(cloud);
    const left = target.leave(2);
    void clock.sleep(10_000).then(() => {
      for (const balancer of cloud.balancers) balancer.status = 'active';
    });
    await clock.run(left);
    expect(clock.now()).toBeGreaterThanOrEqual(10_000);
  });

  it.each([
    ['was applied', true, 1],
    ['was not applied', false, 2],
  ])('after a lost answer reads back: the change %s', async (_what, applied, calls) => {
    const cloud = new FakeCloud();
    const { target, clock, members } = targetOn(cloud);
    cloud.fail('removeDroplets', lost(applied));
    await clock.run(target.leave(2));
    expect(members()).toEqual([1, 3]);
    expect(cloud.calls.filter((call) => call.startsWith('removeDroplets'))).toHaveLength(calls);
  });

  it.each(['not-found', 'unprocessable'] as const)('takes "%s" for done when the wished state shows', async (kind) => {
    const cloud = new FakeCloud([aBalancer({ dropletIds: [1, 3] })]);
    const { target, clock } = targetOn(cloud);
    cloud.fail('removeDroplets', refused(kind));
    await clock.run(target.leave(2));
  });

  it('gives up on an answer that is lost every time', async () => {
    const cloud = new FakeCloud();
    const { target, clock, members } = targetOn(cloud);
    cloud.fail('addDroplets', ...Array.from({ length: 9 }, () => lost(false)));
    await expect(clock.run(target.rejoin(7))).rejects.toMatchObject({ code: 'cloud-timeout' });
    expect(members()).toEqual([1, 2, 3]);
  });

  it('never repeats what was refused', async () => {
    const cloud = new FakeCloud();
    const { target, clock } = targetOn(cloud);
    cloud.fail('removeDroplets', refused('forbidden'));
    await expect(clock.run(target.leave(2))).rejects.toMatchObject({ code: 'cloud-forbidden' });
    expect(cloud.calls).toEqual(['removeDroplets 2']);
  });

  it('tells when an accepted change does not show within two minutes', async () => {
    const cloud = new FakeCloud();
    const { target, clock } = targetOn(cloud);
    cloud.lag = Number.POSITIVE_INFINITY;
    const started = clock.now();
    await expect(clock.run(target.leave(2))).rejects.toMatchObject({ code: 'change-not-shown' });
    expect(clock.now() - started).toBeLessThan(130_000);
  });

  it('names the balancer’s state when that is why a change does not show', async () => {
    const { target, clock } = targetOn(new FakeCloud([aBalancer({ status: 'errored' })]));
    const message = expect.stringContaining('the load balancer is errored');
    await expect(clock.run(target.leave(2))).rejects.toMatchObject({ code: 'change-not-shown', message });
  });

  it('says so when a droplet was on its way in: that it is shown out proves nothing then', async () => {
    const cloud = new FakeCloud(
      [aBalancer({ tag: 'web', dropletIds: [1] })],
      [aDroplet(1, { tags: ['web'] }), aDroplet(2, { tags: ['web', LEDGER_TAG] })],
    );
    const { target, clock } = targetOn(cloud);
    await target.readMembership();
    const left = Promise.all([target.leave(1), target.leave(2)]);
    cloud.balancers[0]?.dropletIds.pop();
    expect(await clock.run(left)).toEqual(['shown', 'asked']);
  });

  it('goes by the tag where a tag manages the membership', async () => {
    const cloud = new FakeCloud([aBalancer({ tag: 'web', dropletIds: [1] })], [aDroplet(1, { tags: ['web'] })]);
    const { target, clock } = targetOn(cloud);
    const left = target.leave(1);
    cloud.balancers[0]?.dropletIds.pop();
    await clock.run(left);
    expect(cloud.calls[0]).toBe('untagDroplets web 1');
  });
});
