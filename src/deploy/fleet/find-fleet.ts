/** The fleet as it is found: droplets, rotation, ledger; and what forbids a deploy. */

import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { openTarget } from '../../targets/open-target.js';
import type { FleetMembership, Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { waitForAll } from '../core/parallel.js';
import { Ledger } from './ledger.js';
export interface Fleet {
  target: Target;
  ledger: Ledger;
  membership: FleetMembership;
}

/**
 * Reads only. Throws CloudError, or DeployError with the reason and the remedy.
 * @param options.newcomers droplets of the autoscale pool that are not behind the balancer yet belong to it too
 */
export async function findFleet(
  ports: DeployPorts,
  settings: Settings,
  options: { newcomers: boolean } = { newcomers: false },
): Promise<Fleet> {
  const ledger = new Ledger(ports.cloud, settings.app, settings.environment);
  const target = await openTarget(settings.target, ports.cloud, ports.clock, ledger, options);
  const readable = target.healthCheck === undefined ? Promise.resolve() : ledger.checkReadable();
  const [membership] = await waitForAll([target.readMembership(), readable]);
  if (membership.droplets.length === 0) {
    throw new DeployError('no-droplets', `There are no droplets behind ${target.description}.`, {
      source: 'user',
      hint: 'Add droplets to the load balancer in the control panel, or check load_balancer: in config/deploy.yml.',
    });
  }
  return { target, ledger, membership };
}
