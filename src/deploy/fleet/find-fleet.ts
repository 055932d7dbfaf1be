import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { openTarget } from '../../targets/open-target.js';
import type { FleetMembership, Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { waitForAll } from '../core/parallel.js';
import { Anchors } from './anchors.js';
import { Ledger } from './ledger.js';
import { scopeOf, settingsOfRoles } from './role-settings.js';

/** The droplets of an environment, or of one of its roles, as DigitalOcean shows them, and the means to change their rotation. */
export interface Fleet {
  /** Those of the environment, or of the role. */
  settings: Settings;
  target: Target;
  ledger: Ledger;
  anchors: Anchors;
  membership: FleetMembership;
}

/**
 * Finds the environment's fleets: one for each role, in their order, or the only one. Only reads. Throws CloudError, or
 * DeployError with a hint: also where a droplet has two roles.
 */
export async function findFleets(
  ports: DeployPorts,
  settings: Settings,
  options: { newcomers?: boolean } = {},
): Promise<Fleet[]> {
  const fleets = await waitForAll(settingsOfRoles(settings).map((own) => findFleet(ports, own, options)));
  refuseTwoRoles(fleets);
  return fleets;
}

/** One droplet cannot run the profiles of two roles, nor be in the batches of both. */
function refuseTwoRoles(fleets: readonly Fleet[]): void {
  const roles = new Map<number, string | undefined>();
  for (const { settings, membership } of fleets) {
    for (const { droplet } of membership.droplets) {
      const other = roles.get(droplet.id);
      roles.set(droplet.id, settings.role);
      if (other === undefined) continue;
      throw new DeployError('role-overlap', `${droplet.name} has two roles: ${other} and ${settings.role}.`, {
        source: 'user',
        hint: 'Take its tag away, take it from the load balancer, or correct roles: in config/deploy.yml.',
      });
    }
  }
}

/**
 * Finds the fleet of an environment without roles, or of one role. Only reads. Throws CloudError, or DeployError with a hint.
 * @param options.newcomers includes droplets of the autoscale pool that are not behind the balancer yet
 */
export async function findFleet(
  ports: DeployPorts,
  settings: Settings,
  { newcomers = false }: { newcomers?: boolean } = {},
): Promise<Fleet> {
  const ledger = new Ledger(ports.cloud, settings.app, scopeOf(settings));
  const target = await openTarget(settings.target, ports.cloud, ports.clock, ledger, { newcomers });
  const readable = target.isFleet ? ledger.checkReadable() : Promise.resolve();
  const [membership] = await waitForAll([target.readMembership(), readable]);
  if (membership.droplets.length === 0) throw noDroplets(settings.target, target);
  const anchors = new Anchors(ports.cloud, settings, target.isFleet);
  return { settings, target, ledger, anchors, membership };
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
