import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { openTarget } from '../../targets/open-target.js';
import type { FleetMembership, Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { configFile } from '../core/do-deploy.js';
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
  /** By droplet id: other roles that it has as well. */
  alsoIn?: ReadonlyMap<number, readonly string[]>;
}

/**
 * Finds the environment's fleets: one for each role, in their order, or the only one. Only reads. Throws CloudError, or
 * DeployError with a hint: also where a droplet has two roles.
 * @param options.overlap `first`: it counts to the first of them instead
 */
export async function findFleets(
  ports: DeployPorts,
  settings: Settings,
  options: { newcomers?: boolean; overlap?: 'first' | undefined } = {},
): Promise<Fleet[]> {
  const fleets = await waitForAll(settingsOfRoles(settings).map((own) => findFleet(ports, own, options)));
  const overlap = options.overlap === 'first' ? undefined : roleOverlap(fleets);
  if (overlap !== undefined) throw overlap;
  return options.overlap === 'first' ? inOneRole(fleets) : fleets;
}

function inOneRole(fleets: readonly Fleet[]): Fleet[] {
  const known = new Set<number>();
  return fleets.map((fleet, index) => {
    const droplets = fleet.membership.droplets.filter(({ droplet }) => !known.has(droplet.id));
    const alsoIn = new Map<number, string[]>();
    for (const { droplet } of droplets) {
      known.add(droplet.id);
      const others = fleets
        .slice(index + 1)
        .filter(({ membership }) => membership.droplets.some((one) => one.droplet.id === droplet.id));
      if (others.length > 0)
        alsoIn.set(
          droplet.id,
          others.map(({ settings }) => settings.role ?? ''),
        );
    }
    return { ...fleet, membership: { ...fleet.membership, droplets }, alsoIn };
  });
}

/** Droplets that are in two roles: one cannot run the profiles of both, nor be in the batches of both. */
export function roleOverlap(fleets: readonly Fleet[]): DeployError | undefined {
  const rolesOf = new Map<string, string[]>();
  for (const { settings, membership } of fleets) {
    for (const { droplet } of membership.droplets) {
      const roles = rolesOf.get(droplet.name) ?? [];
      if (settings.role !== undefined) rolesOf.set(droplet.name, [...roles, settings.role]);
    }
  }
  const both = [...rolesOf].filter(([, roles]) => roles.length > 1);
  if (both.length === 0) return undefined;
  const message = both.map(([name, roles]) => `${name} has two roles: ${roles.join(' and ')}.`).join(' ');
  const [first] = fleets;
  return new DeployError('role-overlap', message, {
    source: 'user',
    hint: `Take its tag away, take it from the load balancer, or correct roles: in ${configFile(first?.settings ?? {})}.`,
  });
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
  if (membership.droplets.length === 0) throw noDroplets(settings, target);
  const anchors = new Anchors(ports.cloud, settings, target.isFleet);
  return { settings, target, ledger, anchors, membership };
}

function noDroplets(settings: Settings, { description }: Target): DeployError {
  const { target: written } = settings;
  if (written.kind === 'tag') {
    return new DeployError('no-droplets', `No droplet has the ${description}.`, {
      source: 'user',
      hint: `Tag the droplets (doctl compute droplet tag ID --tag-name ${written.tag}), or correct tag: in ${configFile(settings)}.`,
    });
  }
  return new DeployError('no-droplets', `There are no droplets behind ${description}.`, {
    source: 'user',
    hint: `Add droplets to the load balancer in the control panel, or check load_balancer: in ${configFile(settings)}.`,
  });
}
