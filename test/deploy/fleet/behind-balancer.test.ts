import { describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/config/settings.js';
import { balancersBeside, behindBalancers } from '../../../src/deploy/fleet/behind-balancer.js';
import type { Fleet } from '../../../src/deploy/fleet/find-fleet.js';
import { CloudError } from '../../../src/errors.js';
import type { Cloud, LoadBalancer } from '../../../src/ports.js';
import { aDroplet } from '../../support/fake-cloud.js';

const BALANCERS = [
  { name: 'web', dropletIds: [1, 2, 9] },
  { name: 'other', dropletIds: [8] },
] as LoadBalancer[];

const settings = (target: Settings['target'], more: Partial<Settings> = {}) =>
  ({ target, environment: 'workers', ...more }) as Settings;
const TAG = { kind: 'tag', tag: 'workers' } as const;

const fleet = (own: Settings, ...ids: number[]) =>
  ({ settings: own, membership: { droplets: ids.map((id) => ({ droplet: aDroplet(id) })) } }) as unknown as Fleet;

function cloud(answer: () => Promise<LoadBalancer[]> = async () => BALANCERS) {
  let asked = 0;
  const listLoadBalancers = () => {
    asked += 1;
    return answer();
  };
  return { cloud: { listLoadBalancers } as unknown as Cloud, asked: () => asked };
}

describe('droplets of a tag or a list that a balancer sends traffic to', () => {
  it('are named once, with the balancer and the file to correct', () => {
    const found = behindBalancers([fleet(settings(TAG, { config: 'config/other.yml' }), 1, 2, 3)], BALANCERS);
    expect(found).toEqual([
      'Load balancer "web" sends traffic to web-1, web-2, which `tag:` names: it is not drained before their containers change. If this app serves it, set `load_balancer: web` instead in config/other.yml.',
    ]);
    const listed = settings({ kind: 'droplets', droplets: [8] }, { role: 'worker' });
    expect(behindBalancers([fleet(listed, 8)], BALANCERS)[0]).toMatch(/^worker: load balancer "other" .* `droplets:`/);
  });

  it('are no matter where there are none, or where the balancer is the target', () => {
    expect(behindBalancers([fleet(settings(TAG), 3)], BALANCERS)).toEqual([]);
    expect(behindBalancers([fleet(settings({ kind: 'load_balancer', ref: 'web' }), 1)], BALANCERS)).toEqual([]);
  });

  it('are looked for with one question, and only where there may be any', async () => {
    const web = { name: 'web', target: { kind: 'load_balancer', ref: 'web' } } as const;
    const roles = [web, { name: 'worker', target: TAG }];
    const { cloud: asked, asked: times } = cloud();
    const rollout = { batch: [1] } as unknown as Settings['rollout'];
    expect(await balancersBeside(asked, settings(web.target, { roles, rollout }))).toEqual(BALANCERS);
    expect(await balancersBeside(asked, settings(web.target))).toEqual([]);
    expect(await balancersBeside(asked, settings({ kind: 'droplet', id: 1 }))).toEqual([]);
    expect(times()).toBe(1);
  });

  it('fail nothing where the token may not ask', async () => {
    const refused = cloud(() => Promise.reject(new CloudError('forbidden', 'not-applied', 'no', { source: 'user' })));
    expect(await balancersBeside(refused.cloud, settings(TAG))).toEqual([]);
    const broken = cloud(() => Promise.reject(new Error('a bug')));
    await expect(balancersBeside(broken.cloud, settings(TAG))).rejects.toThrow('a bug');
  });
});
