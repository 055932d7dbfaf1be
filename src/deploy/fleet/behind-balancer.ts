/** Droplets that are deployed by a tag or a list, though a load balancer of the account sends them traffic. */
import type { Settings } from '../../config/settings.js';
import { CloudError } from '../../errors.js';
import type { Cloud, LoadBalancer } from '../../ports.js';
import { configFile } from '../core/do-deploy.js';
import { capital } from '../core/sentences.js';
import type { Fleet } from './find-fleet.js';
import { ofRole, settingsOfRoles } from './role-settings.js';

/** The balancers of the account, where droplets could be behind one unnoticed. None where that cannot be asked. */
export async function balancersBeside(cloud: Cloud, settings: Settings): Promise<LoadBalancer[]> {
  if (!settingsOfRoles(settings).some(isByTagOrList)) return [];
  try {
    return await cloud.listLoadBalancers();
  } catch (error) {
    // It is only for a warning, and the token may lack load_balancer:read.
    if (error instanceof CloudError) return [];
    throw error;
  }
}

/** 'Load balancer "web" sends traffic to worker-1 and worker-2 …', for each balancer of each fleet. */
export function behindBalancers(fleets: readonly Fleet[], balancers: readonly LoadBalancer[]): string[] {
  return fleets.filter(({ settings }) => isByTagOrList(settings)).flatMap((fleet) => behind(fleet, balancers));
}

function behind({ settings, membership }: Fleet, balancers: readonly LoadBalancer[]): string[] {
  return balancers.flatMap(({ name, dropletIds }) => {
    const own = membership.droplets.map(({ droplet }) => droplet).filter(({ id }) => dropletIds.includes(id));
    if (own.length === 0) return [];
    const names = own.map((droplet) => droplet.name).join(', ');
    const { kind } = settings.target;
    const sentence = `load balancer "${name}" sends traffic to ${names}, which \`${kind}:\` names: it is not drained before their containers change. If this app serves it, set \`load_balancer: ${name}\` instead in ${configFile(settings)}.`;
    return settings.role === undefined ? capital(sentence) : `${ofRole(settings)}${sentence}`;
  });
}

function isByTagOrList({ target }: Pick<Settings, 'target'>): boolean {
  return target.kind === 'tag' || target.kind === 'droplets';
}
