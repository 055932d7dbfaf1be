import type { Settings } from '../../config/settings.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { type Connected, closeAll, connectAll } from '../droplet/connect.js';
import { type Fleet, findFleet } from '../fleet/find-fleet.js';

/**
 * For commands that only read: finds the fleet, connects to its droplets without reporting it, and closes the connections
 * when `read` has ended. Takes no lease. Throws CloudError, DeployError, or what `read` throws.
 * @param options.newcomers includes droplets of the autoscale pool that are not behind the balancer yet
 * @param options.onlyRunning does not connect to droplets that are off
 */
export async function visitFleet<T>(
  ports: DeployPorts,
  settings: Settings,
  options: { newcomers?: boolean; onlyRunning?: boolean },
  read: (fleet: Fleet, connected: Connected) => Promise<T>,
): Promise<T> {
  const fleet = await findFleet(ports, settings, options);
  const droplets = fleet.membership.droplets.map(({ droplet }) => droplet);
  const visited = options.onlyRunning ? droplets.filter(({ status }) => status === 'active') : droplets;
  const connected = await connectAll({ ...ports, reporter: { report: () => {} } }, settings, visited);
  try {
    return await read(fleet, connected);
  } finally {
    await closeAll(connected.members);
  }
}
