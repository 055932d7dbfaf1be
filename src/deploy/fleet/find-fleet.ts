import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Droplet } from '../../ports.js';
import { utcTime } from '../../rollout/utc-time.js';
import { openTarget } from '../../targets/open-target.js';
import type { FleetMembership, PlacedDroplet, Target } from '../../targets/target.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
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
  /** Those that were taken out by hand, where they are set apart: they are not in `membership`. */
  apart: readonly PlacedDroplet[];
  /** By droplet id: other roles that it has as well. */
  alsoIn?: ReadonlyMap<number, readonly string[]>;
}

export interface FindOptions {
  /** Includes droplets of the autoscale pool that are not behind the balancer yet. */
  newcomers?: boolean | undefined;
  /** What were taken out by hand do not count, except the droplet with this name or id. */
  setApart?: boolean | { except: string };
  /** `first`: a droplet with two roles counts to the first of them; otherwise it is refused. */
  overlap?: 'first' | undefined;
}

/**
 * Finds the environment's fleets: one for each role, in their order, or the only one. Only reads. Throws CloudError, or
 * DeployError with a hint: also where a droplet has two roles.
 */
export async function findFleets(ports: DeployPorts, settings: Settings, options: FindOptions = {}): Promise<Fleet[]> {
  const found = await waitForAll(settingsOfRoles(settings).map((own) => findFleet(ports, own, options)));
  const fleets = inOneRole(found);
  if (options.overlap !== 'first') refuseOverlap(fleets);
  return fleets;
}

/** Each droplet in the first role that it has. */
function inOneRole(fleets: readonly Fleet[]): Fleet[] {
  const known = new Set<number>();
  return fleets.map((fleet, index) => {
    const later = fleets.slice(index + 1);
    const droplets = fleet.membership.droplets.filter(({ droplet }) => !known.has(droplet.id));
    const alsoIn = new Map<number, string[]>();
    for (const { droplet } of droplets) {
      known.add(droplet.id);
      const others = later.filter(({ membership }) => membership.droplets.some((one) => one.droplet.id === droplet.id));
      if (others.length > 0)
        alsoIn.set(
          droplet.id,
          others.map(({ settings }) => settings.role ?? ''),
        );
    }
    return { ...fleet, membership: { ...fleet.membership, droplets }, alsoIn };
  });
}

/** "web-2 has two roles: web and worker", for each of the droplets that has. */
export function overlapsOf({ settings, membership, alsoIn = new Map() }: Fleet): { name: string; sentence: string }[] {
  return membership.droplets.flatMap(({ droplet: { id, name } }) => {
    const others = alsoIn.get(id);
    return others ? [{ name, sentence: `${name} has two roles: ${[settings.role, ...others].join(' and ')}` }] : [];
  });
}

/** One droplet cannot run the profiles of two roles, nor be in the batches of both. Throws DeployError role-overlap. */
export function refuseOverlap(fleets: readonly Fleet[]): void {
  const overlaps = fleets.flatMap(overlapsOf);
  if (overlaps.length === 0) return;
  throw new DeployError('role-overlap', overlaps.map(({ sentence }) => `${sentence}.`).join(' '), {
    source: 'user',
    hint: `Take its tag away, take it from the load balancer, or correct roles: in ${configFile(fleets[0]?.settings ?? {})}.`,
  });
}

/**
 * Finds the fleet of an environment without roles, or of one role. Only reads. Throws CloudError, or DeployError with a hint.
 */
async function findFleet(
  ports: DeployPorts,
  settings: Settings,
  { newcomers = false, setApart = false }: FindOptions = {},
): Promise<Fleet> {
  const ledger = new Ledger(ports.cloud, settings.app, scopeOf(settings));
  const target = await openTarget(settings.target, ports.cloud, ports.clock, ledger, { newcomers });
  const readable = target.isFleet ? ledger.checkReadable() : Promise.resolve();
  const [membership] = await waitForAll([target.readMembership(), readable]);
  if (membership.droplets.length === 0) throw noDroplets(settings, target);
  const anchors = new Anchors(ports.cloud, settings, target.isFleet);
  const isApart = ({ droplet, byHand }: PlacedDroplet) =>
    byHand !== undefined && setApart !== false && !(typeof setApart === 'object' && isNamed(droplet, setApart.except));
  const apart = membership.droplets.filter(isApart);
  const droplets = membership.droplets.filter((one) => !isApart(one));
  if (droplets.length === 0) throw allApart(apart, target, settings);
  return { settings, target, ledger, anchors, membership: { ...membership, droplets }, apart };
}

export function isNamed({ id, name }: Pick<Droplet, 'id' | 'name'>, word: string): boolean {
  return name === word || String(id) === word;
}

/** "web-2 was taken out by hand (ann@desk, 2026-11-21 07:45:00 UTC): the disk is failing" */
export function byHandSentence({ droplet, byHand }: PlacedDroplet): string {
  const { who = 'somebody', since = '', reason = '' } = byHand ?? {};
  return `${droplet.name} was taken out by hand (${who}, ${utcTime(since)}): ${reason.replace(/\.+$/, '')}`;
}

function allApart(apart: readonly PlacedDroplet[], { description }: Target, settings: Settings): DeployError {
  const names = apart.map(({ droplet }) => droplet.name).join(', ');
  return new DeployError('all-taken-out', `Every droplet of ${description} was taken out by hand: ${names}.`, {
    source: 'user',
    hint: `Bring one back: ${doDeploy(settings, 'droplet in', apart[0]?.droplet.name ?? 'DROPLET')}`,
  });
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
