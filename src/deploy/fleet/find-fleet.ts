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
  const readable = target.isFleet ? ledger.checkReadable() : Promise.resolve();
  const [membership] = await waitForAll([target.readMembership(), readable]);
  if (membership.droplets.length === 0) throw noDroplets(settings.target, target);
  const anchors = new Anchors(ports.cloud, settings, target.isFleet);
  return { target, ledger, anchors, membership };
}

function noDroplets(written: Settings['target'], { description }: Target): DeployError {
  if (written.kind === 'tag') {
    return new DeployError('no-droplets', `No droplet has the ${description}.`, {
      source: 'user',
      hint: `Tag the droplets (doctl compute droplet tag ID --tag-name ${written.tag}), or correct tag: in config/deploy.yml.`,
    });
  }
  return new DeployError('no-droplets', `There are no droplets behind ${description}.`, {
    source: 'user',
    hint: 'Add droplets to the load balancer in the control panel, or check load_balancer: in config/deploy.yml.',
  });
}
