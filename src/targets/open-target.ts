import type { TargetSettings } from '../config/settings.js';
import { CloudError } from '../errors.js';
import type { Clock, Cloud, LoadBalancer } from '../ports.js';
import { workersByList, workersByTag } from './by-tag-or-list.js';
import { deployable, findBalancer } from './find-balancer.js';
import { findPool } from './find-pool.js';
import { LoadBalancerTarget } from './load-balancer.js';
import { SingleDropletTarget } from './single-droplet.js';
import type { LedgerTags, Target } from './target.js';

/**
 * Finds the target in the settings and checks that it can be deployed to. Changes nothing.
 * @param options.newcomers the droplets of the autoscale pool belong to the fleet before they are behind the balancer
 */
export async function openTarget(
  settings: TargetSettings,
  cloud: Cloud,
  clock: Clock,
  ledger: LedgerTags,
  { newcomers }: { newcomers: boolean },
): Promise<Target> {
  if (settings.kind === 'droplet') return new SingleDropletTarget(cloud, settings.id);
  if (settings.kind === 'tag') return workersByTag(cloud, ledger, settings.tag);
  if (settings.kind === 'droplets') return await workersByList(cloud, ledger, settings.droplets);
  const balancer = await deployable(cloud, await findBalancer(cloud, settings.ref), clock);
  const notices = balancer.tag === undefined ? [] : await sharedTagNotices(cloud, balancer, balancer.tag);
  const pool = settings.pool === undefined ? undefined : await findPool(cloud, settings.pool);
  return new LoadBalancerTarget(cloud, clock, balancer, ledger, { notices, newcomers, pool });
}

/** Untagging a droplet takes it out of everything that uses the tag, not only this balancer. */
async function sharedTagNotices(cloud: Cloud, balancer: LoadBalancer, tag: string): Promise<string[]> {
  const others = (await cloud.listLoadBalancers()).filter((other) => other.tag === tag && other.id !== balancer.id);
  const sharing = others.map((other) => `load balancer "${other.name}"`);
  const admitting: string[] = [];
  try {
    for (const { name, how } of await cloud.firewallsWithTag(tag)) {
      (how === 'applies' ? sharing : admitting).push(`firewall "${name}"`);
    }
  } catch (error) {
    if (!(error instanceof CloudError) || error.kind !== 'forbidden') throw error;
    sharing.push('any firewalls (unknown, because the token lacks firewall:read)');
  }
  const whileOut =
    sharing.length === 0 ? '' : ` While a droplet is out, these do not apply to it: ${sharing.join(', ')}.`;
  const shutOut =
    admitting.length === 0
      ? ''
      : ` It also loses the access that these grant by the tag: ${admitting.join(', ')}. If the app needs that access to start (to a database, for example), give the droplets a second tag for it.`;
  return [
    `Load balancer "${balancer.name}" selects its droplets by the tag "${tag}": a droplet leaves by being untagged.${whileOut}${shutOut}`,
  ];
}
