import type { Settings } from '../../config/settings.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { type Connected, closeAll, connectAll } from '../droplet/connect.js';
import { type FindOptions, type Fleet, findFleets } from '../fleet/find-fleet.js';

/** The fleet of a role, or the environment's only one, with the droplets of it that could be connected. */
export interface Visit extends Connected {
  fleet: Fleet;
}

/**
 * For commands that only read: finds the fleet of each role, connects to its droplets without reporting it, and closes the
 * connections when `read` has ended. Takes no lease. Throws CloudError, DeployError, or what `read` throws.
 * @param options.newcomers includes droplets of the autoscale pool that are not behind the balancer yet
 * @param options.onlyRunning does not connect to droplets that are off
 */
export async function visitFleets<T>(
  ports: DeployPorts,
  settings: Settings,
  options: FindOptions & { onlyRunning?: boolean },
  read: (visits: readonly Visit[]) => Promise<T>,
): Promise<T> {
  const fleets = await findFleets(ports, settings, { ...options, overlap: 'first' });
  const droplets = fleets.flatMap(({ membership }) => membership.droplets.map(({ droplet }) => droplet));
  const visited = options.onlyRunning ? droplets.filter(({ status }) => status === 'active') : droplets;
  const connected = await connectAll({ ...ports, reporter: { report: () => {} } }, settings, visited);
  try {
    return await read(
      fleets.map((fleet): Visit => {
        const own = new Set(fleet.membership.droplets.map(({ droplet }) => droplet.id));
        return {
          fleet,
          members: connected.members.filter(({ droplet }) => own.has(droplet.id)),
          unreachable: connected.unreachable.filter(({ droplet }) => own.has(droplet.id)),
        };
      }),
    );
  } finally {
    await closeAll(connected.members);
  }
}

/** Returns what was read of each fleet, in the order of the roles. */
export async function visitEach<T>(
  ports: DeployPorts,
  settings: Settings,
  options: Parameters<typeof visitFleets>[2],
  read: (visit: Visit) => Promise<T>,
): Promise<T[]> {
  return await visitFleets(ports, settings, options, (visits) => Promise.all(visits.map(read)));
}
