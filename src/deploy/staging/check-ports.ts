/** Ports that a first release would publish and another container holds. Checked while nothing has changed yet. */

import { z } from 'zod';
import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { configFile } from '../core/do-deploy.js';
import { command } from '../core/shell.js';
import type { Member } from '../droplet/member.js';
import type { ComposeService } from './compose-config.js';

/** Throws DeployError port-taken. Found only at the start, a droplet would be out without a release to go back to. */
export async function refuseTakenPorts(
  member: Member,
  settings: Pick<Settings, 'app' | 'config'>,
  services: readonly ComposeService[],
): Promise<void> {
  const wanted = new Set(services.flatMap(({ published }) => published));
  if (wanted.size === 0) return;
  const { stdout } = await member.connection.run(portHoldersCommand());
  const holder = readPortHolders(stdout).find(({ port, project }) => wanted.has(port) && project !== settings.app);
  if (holder === undefined) return;
  const { port, container, project } = holder;
  const droplet = member.host.name;
  const owner = project === undefined ? '' : ` of the compose project ${project}`;
  const stop = `top the container (docker stop ${container}) or publish another port.`;
  throw new DeployError('port-taken', `Port ${port} of ${droplet} is held by the container ${container}${owner}.`, {
    source: 'user',
    droplet,
    hint:
      project === undefined
        ? `S${stop}`
        : `If the project ${project} is this app, set \`app: ${project}\` in ${configFile(settings)}: do-deploy takes it over. Otherwise s${stop}`,
  });
}

interface PortHolder {
  port: number;
  container: string;
  /** The container's compose project, if any. */
  project?: string;
}

/** Prints `docker inspect` of every running container, of any project. */
function portHoldersCommand(): RemoteCommand {
  const lines = [
    'ids=$(docker ps -q --no-trunc) || exit 1',
    // The ids are hexadecimal words. A container that ends between the two calls makes inspect fail; it holds no port then.
    'if [ -n "$ids" ]; then docker inspect $ids 2>/dev/null || :; else echo "[]"; fi',
  ];
  return command('port-holders', {}, lines, { reads: true });
}

const inspected = z.array(
  z.object({
    Name: z.string(),
    Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
    NetworkSettings: z.object({
      Ports: z.record(z.string(), z.array(z.object({ HostPort: z.string() })).nullish()).nullish(),
    }),
  }),
);

/** Empty for output that cannot be parsed: without this check, Docker reports the conflict later. */
function readPortHolders(stdout: string): PortHolder[] {
  let containers: z.infer<typeof inspected>;
  try {
    containers = inspected.parse(JSON.parse(stdout));
  } catch {
    return [];
  }
  return containers.flatMap(({ Name, Config, NetworkSettings }) => {
    const project = Config.Labels?.['com.docker.compose.project'];
    const published = Object.entries(NetworkSettings.Ports ?? {}).filter(([port]) => port.endsWith('/tcp'));
    const ports = new Set(published.flatMap(([, bindings]) => (bindings ?? []).map((one) => Number(one.HostPort))));
    return [...ports].map((port) => ({ port, container: Name.replace(/^\//, ''), project }));
  });
}
