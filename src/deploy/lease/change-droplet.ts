/** Commands that change a droplet, and what they say when the droplet is another run's by now. */

import type { CommandResult, RemoteCommand, RunOptions } from '../../ports.js';
import type { Member } from '../droplet/member.js';
import { leaseLost } from './lease.js';
import { NOT_HOLDER } from './lease-commands.js';
/**
 * Throws DeployError lease-lost, or ShellError.
 * @param options.signal ends the command on the droplet, too
 */
export async function changeDroplet(
  member: Member,
  command: RemoteCommand,
  options: Pick<RunOptions, 'signal' | 'observe'> = {},
): Promise<CommandResult> {
  const result = await member.connection.run(command, options);
  if (result.code === NOT_HOLDER) throw leaseLost(member.host.name);
  return result;
}
