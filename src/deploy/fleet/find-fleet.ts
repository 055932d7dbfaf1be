import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { openTarget } from '../../targets/open-target.js';
import type { FleetMembership, Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { waitForAll } from '../core/parallel.js';
import { Anchors } from './anchors.js';
import { Ledger } from './ledger.js';

/** The environment's droplets as DigitalOcean shows them, and the means to change their rotation. */
export interface Fleet {
  target: Target;
  ledger: Ledger;
  anchors: Anchors;
  membership: FleetMembership;
}

/**
 * Finds the environment's fleet. Only reads. Throws CloudError, or DeployError with a hint.
 * @param options.newcomers includes droplets of the autoscale pool that are not behind the balancer yet
 */
export async function findFleet(
  ports: DeployPorts,
  settings: Settings,
  { newcomers = false }: { newcomers?: boolean } = {},
): Promise<Fleet> {
  const ledger = new Ledger(ports.cloud, settings.app, settings.environment);
  const target = await openTarget(settings.target, ports.cloud, ports.clock, ledger, { newcomers });
  const readable = target.healthCheck === undefined ? Promise.resolve() : ledger.checkReadable();
  const [membership] = await waitForAll([target.readMembership(), readable]);
  if (membership.droplets.length === 0) {
    throw new DeployError('no-droplets', `There are no droplets behind ${target.description}.`, {
      source: 'user',
      hint: 'Add droplets to the load balancer in the control panel, or check load_balancer: in config/deploy.yml.',
    });
  }
  const anchors = new Anchors(ports.cloud, settings, target.healthCheck !== undefined);
  return { target, ledger, anchors, membership };
}
