/** Commands that change a droplet, and what they say when the droplet is another run's by now. */
import type { CommandResult, RemoteCommand } from '../ports.js';
import { leaseLost } from './lease.js';
import { NOT_HOLDER } from './remote/lease-command.js';
import type { Site } from './site.js';

/**
 * Throws DeployError lease-lost, or ShellError.
 * @param signal ends the command on the droplet, too
 */
export async function changeSite(site: Site, command: RemoteCommand, signal?: AbortSignal): Promise<CommandResult> {
  const result = await site.connection.run(command, { ...(signal && { signal }) });
  if (result.code === NOT_HOLDER) throw leaseLost(site.host.name);
  return result;
}
