import pLimit from 'p-limit';
import type { Settings } from '../../config/settings.js';
import { asDeployError, DeployError } from '../../errors.js';
import type { Droplet } from '../../ports.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { AT_ONCE } from '../core/parallel.js';
import { staged } from '../core/report.js';
import { addressOf, type Member, NOTHING_KNOWN, type Unreachable } from './member.js';
/** Connects to each droplet. Never throws for a single one: it is told as unreachable. */
export async function connectAll(
  ports: DeployPorts,
  settings: Settings,
  droplets: readonly Droplet[],
): Promise<{ members: Member[]; unreachable: Unreachable[] }> {
  const limit = pLimit(AT_ONCE);
  const members: Member[] = [];
  const unreachable: Unreachable[] = [];
  await Promise.all(
    droplets.map((droplet) =>
      limit(async () => {
        try {
          members.push(await staged(ports, droplet.name, 'connect', () => connect(ports, settings, droplet)));
        } catch (error) {
          unreachable.push({
            droplet,
            error: asDeployError(error).at({ droplet: droplet.name, step: 'connect' }),
          });
        }
      }),
    ),
  );
  return { members: members.sort((a, b) => a.droplet.id - b.droplet.id), unreachable };
}

async function connect(ports: DeployPorts, settings: Settings, droplet: Droplet): Promise<Member> {
  const address = addressOf(droplet, settings.ssh.address);
  if (address === undefined) {
    throw new DeployError('no-address', `${droplet.name} has no ${settings.ssh.address} address.`, {
      source: 'user',
      hint: `Set ssh.address: ${settings.ssh.address === 'public' ? 'private' : 'public'} in config/deploy.yml.`,
    });
  }
  const host = { id: droplet.id, name: droplet.name, address };
  const connection = await ports.shell.connect(host);
  return { droplet, host, connection, survey: NOTHING_KNOWN, containers: [], services: [] };
}
