import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import {
  type ContainersSeen,
  inspectContainersCommand,
  listContainersCommand,
  parseContainers,
} from './containers-command.js';
import type { Member } from './member.js';
/** Looks at the containers of the app and keeps them with the droplet. Gives the droplet's clock, in ms. */
export async function loadContainers(member: Member, app: string): Promise<number> {
  return await look(member, listContainersCommand(app));
}

/** Looks at the containers that were seen last; at all of them when one is gone. Not for after a change. */
export async function refreshContainers(member: Member, app: string): Promise<number> {
  const ids = member.containers.map(({ id }) => id);
  return await look(member, ids.length > 0 ? inspectContainersCommand(app, ids) : listContainersCommand(app));
}

/** Looks at the containers of the app, and keeps nothing. Throws DeployError docker-missing. */
export async function readContainersNow(member: Member, app: string): Promise<ContainersSeen> {
  return await see(member, listContainersCommand(app));
}

async function look(member: Member, command: RemoteCommand): Promise<number> {
  const seen = await see(member, command);
  member.containers = seen.containers;
  return seen.now;
}

async function see(member: Member, command: RemoteCommand): Promise<ContainersSeen> {
  const { code, stdout, stderr } = await member.connection.run(command);
  if (code !== 0) {
    const reason = stderr.trim().split('\n').at(-1) || `exit code ${code}`;
    throw new DeployError('docker-missing', `Docker does not answer on ${member.host.name}: ${reason}`, {
      droplet: member.host.name,
      hint: 'Look at it on the droplet: systemctl status docker',
    });
  }
  return parseContainers(stdout);
}
