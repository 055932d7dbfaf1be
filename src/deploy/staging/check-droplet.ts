/** What forbids to bring a release to a droplet, found out while it still serves: each with what to do. */

import { DeployError } from '../../errors.js';
import type { Member } from '../droplet/member.js';
import type { ComposeService } from './compose-config.js';
import { portHoldersCommand, readPortHolders } from './port-holders.js';

const MINIMUM_FREE_BYTES = 512 * 1024 * 1024;

/** Docker, compose and disk. Throws DeployError docker-missing, compose-missing or disk-full. */
export function checkDroplet(member: Member): string {
  const { survey } = member;
  const [problem] = survey.problems;
  if (survey.docker === undefined) {
    throw new DeployError('docker-missing', `Docker does not answer on ${member.host.name}: ${firstLine(problem)}.`, {
      droplet: member.host.name,
      hint: 'Install Docker Engine, start it, and let the SSH user use it (group docker).',
    });
  }
  if (survey.compose === undefined || Number.parseInt(survey.compose, 10) < 2) {
    throw new DeployError(
      'compose-missing',
      `Docker Compose 2 or newer is not on ${member.host.name}: ${firstLine(survey.compose ?? problem)}.`,
      {
        droplet: member.host.name,
        hint: 'Install the package docker-compose-plugin on the droplet.',
      },
    );
  }
  if (survey.diskFreeBytes !== undefined && survey.diskFreeBytes < MINIMUM_FREE_BYTES) {
    throw new DeployError(
      'disk-full',
      `Only ${Math.round(survey.diskFreeBytes / 1024 / 1024)} MB are free on Docker’s disk on ${member.host.name}.`,
      {
        droplet: member.host.name,
        hint: 'Free at least 512 MB, for instance with `docker image prune` there.',
      },
    );
  }
  return `Docker ${survey.docker}, compose ${survey.compose}`;
}

function firstLine(text: string | undefined): string {
  return (text ?? 'no answer').split('\n')[0] ?? '';
}

/** Found out only when the release is started, it would leave a droplet out of rotation without a release to go back to. */
export async function refuseTakenPorts(
  member: Member,
  app: string,
  services: readonly ComposeService[],
): Promise<void> {
  const wanted = new Set(services.flatMap(({ published }) => published));
  if (wanted.size === 0) return;
  const { stdout } = await member.connection.run(portHoldersCommand());
  const holder = readPortHolders(stdout).find(({ port, project }) => wanted.has(port) && project !== app);
  if (holder === undefined) return;
  const { port, container, project } = holder;
  const owner = project === undefined ? '' : ` of the compose project ${project}`;
  const same =
    project === undefined
      ? ''
      : `If that is this app, as it was started until now, write \`app: ${project}\` in config/deploy.yml: do-deploy takes it over. Otherwise `;
  throw new DeployError(
    'port-taken',
    `Port ${port} of ${member.host.name} is held by the container ${container}${owner}.`,
    {
      source: 'user',
      droplet: member.host.name,
      hint: `${same}${same ? 's' : 'S'}top it (docker stop ${container}), or publish another port.`,
    },
  );
}
