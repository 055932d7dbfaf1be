/** Finds the autoscale pool that the settings name, by id or by name. */
import { DeployError } from '../errors.js';
import type { AutoscalePool, Cloud } from '../ports.js';
import { nameAndId } from './find-balancer.js';

export async function findPool(cloud: Cloud, ref: string): Promise<AutoscalePool> {
  const all = await cloud.listAutoscalePools();
  const matching = all.filter((pool) => pool.id === ref || pool.name === ref);
  const [only, ...others] = matching;
  if (only === undefined) {
    const known =
      all.length === 0 ? 'This token sees no autoscale pool.' : `This token sees ${all.map(nameAndId).join(', ')}.`;
    throw new DeployError('pool-not-found', `There is no autoscale pool "${ref}".`, {
      source: 'user',
      hint: `${known} Set autoscale_pool: in the configuration file, or check that the token belongs to the right account.`,
    });
  }
  if (others.length > 0) {
    throw new DeployError('pool-ambiguous', `${matching.length} autoscale pools are named "${ref}".`, {
      source: 'user',
      hint: `Name one by its id, as autoscale_pool: in the configuration file: ${matching.map(nameAndId).join(', ')}.`,
    });
  }
  return only;
}
