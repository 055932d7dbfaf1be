/** A droplet that is being prepared. */
import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { errorLine } from '../core/output-lines.js';
import { reportTo } from '../core/report.js';
import { loginTo, type Member } from '../droplet/member.js';
import type { Wanted } from './action.js';

export interface Site {
  ports: DeployPorts;
  member: Member;
  wanted: Wanted;
  /** The command to type again. */
  again: string;
}

/** What the command prints. Throws ShellError, or DeployError bootstrap-failed where it fails. */
export async function answerOf(site: Site, command: RemoteCommand): Promise<string> {
  const { code, stdout, stderr } = await site.member.connection.run(command);
  if (code !== 0) throw failed(site, `${command.name}: ${errorLine(stderr || stdout)}`);
  return stdout;
}

export function say({ ports, member }: Site, message: string): void {
  reportTo(ports)({ type: 'notice', level: 'info', droplet: member.host.name, message });
}

export function failed({ member, again }: Site, reason: string): DeployError {
  return new DeployError('bootstrap-failed', `${member.host.name} is not ready: ${reason.replace(/\.$/, '')}.`, {
    droplet: member.host.name,
    hint: `What is done stays. Correct it (${loginTo(member)}), then run it again: ${again}`,
  });
}
