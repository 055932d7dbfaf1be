/** Which droplets of an environment a command is about, and the connections to them. Takes no lease. */
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Droplet } from '../../ports.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { closeAll, connectAll } from '../droplet/connect.js';
import type { Member, Unreachable } from '../droplet/member.js';
import { type Fleet, findFleets, isNamed } from '../fleet/find-fleet.js';
import { notRunning } from '../fleet/not-running.js';

export interface DropletChoice {
  /** A name or id; absent: the first droplet in rotation, or with `all` every one. */
  droplet?: string;
  role?: string;
  all?: boolean;
  /** Another SSH user than that of the settings. */
  user?: string;
}

/** Connected droplets; those that cannot be reached only where several were chosen. */
export interface Chosen {
  members: Member[];
  unreachable: Unreachable[];
}

/**
 * Finds the droplets, connects to them, and closes the connections when `work` has ended. Throws CloudError, DeployError
 * with the names that exist, or what `work` throws.
 */
export async function withDroplets<T>(
  ports: DeployPorts,
  settings: Settings,
  choice: DropletChoice,
  work: (chosen: Chosen) => Promise<T>,
): Promise<T> {
  const chosen = chooseDroplets(await findFleets(ports, settings, { overlap: 'first' }), choice);
  const connected = await connectQuietly(ports, settings, chosen, choice.user);
  const [first] = connected.unreachable;
  try {
    if (first !== undefined && connected.members.length === 0) throw first.error;
    return await work(connected);
  } finally {
    await closeAll(connected.members);
  }
}

/** Without reporting it. Droplets that are off are unreachable. */
export async function connectQuietly(
  ports: DeployPorts,
  settings: Settings,
  droplets: readonly Droplet[],
  user?: string,
): Promise<Chosen> {
  const running = droplets.filter(({ status }) => status === 'active');
  const off = droplets.filter(({ status }) => status !== 'active');
  const { members, unreachable } = await connectAll(
    { ...ports, reporter: { report: () => {} } },
    settings,
    running,
    user,
  );
  return { members, unreachable: [...off.map((droplet) => ({ droplet, error: notRunning(droplet) })), ...unreachable] };
}

/** Throws DeployError unknown-droplet or unknown-role. */
export function chooseDroplets(fleets: readonly Fleet[], { droplet, role, all }: DropletChoice): Droplet[] {
  const candidates = ofRole(fleets, role).flatMap(({ membership }) => membership.droplets);
  if (droplet !== undefined) {
    const named = candidates.filter((one) => isNamed(one.droplet, droplet));
    if (named.length === 1) return named.map((one) => one.droplet);
    throw notOne(droplet, named.length > 1 ? named : candidates);
  }
  if (all) return candidates.map((one) => one.droplet);
  const first = candidates.find(({ rotation }) => rotation === 'in') ?? candidates[0];
  return first === undefined ? [] : [first.droplet];
}

function ofRole(fleets: readonly Fleet[], role: string | undefined): readonly Fleet[] {
  if (role === undefined) return fleets;
  const found = fleets.filter(({ settings }) => settings.role === role);
  if (found.length > 0) return found;
  const roles = fleets.flatMap(({ settings }) => settings.role ?? []);
  throw new DeployError('unknown-role', `There is no role ${role}.`, {
    source: 'user',
    hint: roles.length > 0 ? `The roles are ${roles.join(', ')}.` : 'This environment has no roles: leave out --role.',
  });
}

function notOne(wanted: string, among: readonly { droplet: Droplet }[]): DeployError {
  const names = among.map(({ droplet }) => `${droplet.name} (${droplet.id})`);
  const isKnown = among.every(({ droplet }) => droplet.name === wanted);
  const message = isKnown ? `Several droplets are named ${wanted}.` : `There is no droplet ${wanted} here.`;
  return new DeployError('unknown-droplet', message, {
    source: 'user',
    hint: `${isKnown ? 'Give an id' : 'The droplets are'}: ${names.join(', ')}.`,
  });
}
