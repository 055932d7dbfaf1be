/** Commands that change a droplet, and what they say when the droplet is another run's by now. */
import type { CommandResult, RemoteCommand } from '../ports.js';
import { leaseLost } from './lease.js';
import { NOT_HOLDER } from './remote/lease-command.js';
import type { Site } from './site.js';

/** Throws DeployError lease-lost, or ShellError. */
export async function changeSite(site: Site, command: RemoteCommand): Promise<CommandResult> {
  const result = await site.connection.run(command);
  if (result.code === NOT_HOLDER) throw leaseLost(site.host.name);
  return result;
}
