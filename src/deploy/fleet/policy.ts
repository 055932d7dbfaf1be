import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Policy } from '../../rollout/rollout-state.js';
import type { Target } from '../../targets/target.js';
import { configFile } from '../core/do-deploy.js';
import type { Fleet } from './find-fleet.js';

/**
 * Whether fewer droplets may serve than the floor requires. One that is alone in a role without a balancer is like a single
 * `droplet`: there are no others to rely on, and nobody sends it requests.
 */
export function mayHaveDowntime({ settings, target, membership }: Fleet, allowDowntime: boolean): boolean {
  const { role, rollout } = settings;
  const isAlone = membership.droplets.length === 1 && target.healthCheck === undefined;
  return allowDowntime || (role !== undefined && isAlone && rollout.minInRotation === undefined);
}

export function policyOf(settings: Settings, target: Target, allowDowntime: boolean): Policy {
  const { batch, minInRotation, onFailure, pauseMs, bakeMs } = settings.rollout;
  return {
    batch,
    minInRotation,
    onFailure,
    allowDowntime,
    balanced: target.healthCheck !== undefined,
    isFleet: target.isFleet,
    pauseMs,
    bakeMs,
  };
}

/** Refuses a rollout that could not start or end, before anything changes. Throws DeployError. */
export function refuseImpossible({ membership: { droplets }, target, settings }: Fleet, policy: Policy): void {
  if (!policy.isFleet || policy.allowDowntime) return;
  const size = droplets.length;
  const [first] = droplets;
  if (size === 1 && (first?.rotation === 'in' || (first?.rotation === 'none' && !first.inLedger))) {
    const message =
      first.rotation === 'in'
        ? 'Only one droplet is behind the load balancer: while it is updated, nothing would serve.'
        : `The fleet (${target.description}) has only one droplet: while it is updated, nothing would run.`;
    throw new DeployError('fleet-of-one', message, {
      source: 'user',
      hint: 'Add a second droplet, or accept the outage with --allow-downtime.',
    });
  }
  if (policy.minInRotation !== undefined && policy.minInRotation >= size) {
    const message = `rollout.min_in_rotation is ${policy.minInRotation}, but the fleet has only ${size} droplets: none could leave.`;
    throw new DeployError('floor-impossible', message, {
      source: 'user',
      hint: `Set rollout.min_in_rotation to ${size - 1} or less in ${configFile(settings)}.`,
    });
  }
}
