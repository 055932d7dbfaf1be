import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { Droplet } from '../../ports.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { configFile } from '../core/do-deploy.js';
import { inParallel } from '../core/parallel.js';
import { reportStep } from '../core/report.js';
import { addressOf, type Member, NOTHING_KNOWN, type Unreachable } from './member.js';

export interface Connected {
  /** By ascending droplet id. */
  members: Member[];
  unreachable: Unreachable[];
}

/**
 * Connects to every droplet. Does not throw when a droplet cannot be reached: it is among the `unreachable`.
 * @param user another one than that of the settings
 */
export async function connectAll(
  ports: DeployPorts,
  settings: Settings,
  droplets: readonly Droplet[],
  user?: string,
): Promise<Connected> {
  const members: Member[] = [];
  const unreachable: Unreachable[] = [];
  await inParallel(droplets, async (droplet) => {
    const step = { droplet: droplet.name, step: 'connect' } as const;
    try {
      members.push(await reportStep(ports, step, () => connect(ports, settings, droplet, user)));
    } catch (error) {
      unreachable.push({ droplet, error: asDeployError(error) });
    }
  });
  return { members: members.sort((a, b) => a.droplet.id - b.droplet.id), unreachable };
}

async function connect(
  ports: DeployPorts,
  settings: Settings,
  droplet: Droplet,
  user: string | undefined,
): Promise<Member> {
  const address = addressOf(droplet, settings.ssh.address);
  if (address === undefined) {
    throw new DeployError('no-address', `${droplet.name} has no ${settings.ssh.address} address.`, {
      source: 'user',
      hint: `Set ssh.address: ${settings.ssh.address === 'public' ? 'private' : 'public'} in ${configFile(settings)}.`,
    });
  }
  const host = { id: droplet.id, name: droplet.name, address };
  const connection = await ports.shell.connect(host, user === undefined ? {} : { user });
  return { droplet, host, connection, survey: NOTHING_KNOWN, containers: [], services: [] };
}

/** Never throws: a connection that is already lost needs no closing. */
export async function closeAll(members: readonly Member[]): Promise<void> {
  await Promise.allSettled(members.map((member) => member.connection.close()));
}
