import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Policy } from '../../rollout/planner.js';
import type { Target } from '../../targets/target.js';
import type { Fleet } from './find-fleet.js';
export function policyOf(settings: Settings, target: Target, allowDowntime: boolean): Policy {
  const { batch, minInRotation, onFailure } = settings.rollout;
  return {
    batch,
    onFailure,
    allowDowntime,
    balanced: target.healthCheck !== undefined,
    minInRotation,
  };
}

/** Refuses a rollout that could not be begun or ended, before anything is changed. */
export function refuseImpossible(fleet: Fleet, policy: Policy): void {
  const off = fleet.membership.droplets.filter(({ droplet }) => droplet.status !== 'active');
  if (off.length > 0) {
    const names = off.map(({ droplet }) => `${droplet.name} (${droplet.status})`).join(', ');
    throw new DeployError('droplet-off', `Not every droplet is running: ${names}.`, {
      hint: 'Power them on, or take them out of the load balancer.',
    });
  }
  if (!policy.balanced || policy.allowDowntime) return;
  const serving = fleet.membership.droplets.filter(({ rotation }) => rotation === 'in').length;
  const size = fleet.membership.droplets.length;
  if (size === 1 && serving === 1) {
    throw new DeployError(
      'fleet-of-one',
      'Only one droplet is behind the load balancer: while it is updated nothing would serve.',
      {
        source: 'user',
        hint: 'Add a second droplet, or accept the outage with --allow-downtime.',
      },
    );
  }
  if (policy.minInRotation !== undefined && policy.minInRotation >= size) {
    throw new DeployError(
      'floor-impossible',
      `rollout.min_in_rotation is ${policy.minInRotation}, but there are ${size} droplets: none could ever leave.`,
      {
        source: 'user',
        hint: `Set rollout.min_in_rotation to ${size - 1} or less in config/deploy.yml.`,
      },
    );
  }
}
