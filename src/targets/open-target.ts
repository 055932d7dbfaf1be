import type { TargetSettings } from '../config/settings.js';
import { CloudError } from '../errors.js';
import type { Clock, Cloud, Droplet, LoadBalancer } from '../ports.js';
import { deployable, findBalancer } from './find-balancer.js';
import { findPool } from './find-pool.js';
import { LoadBalancerTarget } from './load-balancer.js';
import { SingleDropletTarget } from './single-droplet.js';
import type { Target } from './target.js';

/**
 * Finds what the settings name and checks that it can be deployed to. Changes nothing.
 * @param options.newcomers the droplets of the autoscale pool belong to the fleet before they are behind the balancer
 */
export async function openTarget(
  settings: TargetSettings,
  cloud: Cloud,
  clock: Clock,
  ledger: { has(droplet: Droplet): boolean },
  { newcomers }: { newcomers: boolean },
): Promise<Target> {
  if (settings.kind === 'droplet') return new SingleDropletTarget(cloud, settings.id);
  const balancer = await deployable(cloud, await findBalancer(cloud, settings.ref), clock);
  const notices = balancer.tag === undefined ? [] : await sharedTagNotices(cloud, balancer, balancer.tag);
  const pool = settings.pool === undefined ? undefined : await findPool(cloud, settings.pool);
  return new LoadBalancerTarget(cloud, clock, balancer, ledger, { notices, newcomers, ...(pool && { pool }) });
}

/** Untagging a droplet takes it from everything that goes by the tag, not only from this balancer. */
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
    sharing.push('any firewalls (the token lacks firewall:read, so do-deploy cannot tell)');
  }
  const whileOut =
    sharing.length === 0 ? '' : ` While a droplet is out, these do not apply to it either: ${sharing.join(', ')}.`;
  const shutOut =
    admitting.length === 0
      ? ''
      : ` Meanwhile it loses what these allow by the tag: ${admitting.join(', ')}. If the app needs that to start (a database, say), give the droplets a second tag for it.`;
  return [
    `Load balancer "${balancer.name}" takes its droplets by the tag "${tag}": a droplet leaves by being untagged.${whileOut}${shutOut}`,
  ];
}
