/** What forbids to bring a release to a droplet, found out while it still serves: each with what to do. */
import type { Settings } from '../config/settings.js';
import { DeployError } from '../errors.js';
import type { ComposeService } from './remote/compose-config.js';
import { portHoldersCommand, readPortHolders } from './remote/port-holders.js';
import type { Site } from './site.js';

const MINIMUM_FREE_BYTES = 512 * 1024 * 1024;

/** Docker, compose and disk. Throws DeployError docker-missing, compose-missing or disk-full. */
export function checkSite(site: Site): string {
  const { survey } = site;
  const [problem] = survey.problems;
  if (survey.docker === undefined) {
    throw new DeployError('docker-missing', `Docker does not answer on ${site.host.name}: ${firstLine(problem)}.`, {
      droplet: site.host.name,
      hint: 'Install Docker Engine, start it, and let the SSH user use it (group docker).',
    });
  }
  if (survey.compose === undefined || Number.parseInt(survey.compose, 10) < 2) {
    throw new DeployError(
      'compose-missing',
      `Docker Compose 2 or newer is not on ${site.host.name}: ${firstLine(survey.compose ?? problem)}.`,
      {
        droplet: site.host.name,
        hint: 'Install the package docker-compose-plugin on the droplet.',
      },
    );
  }
  if (survey.diskFreeBytes !== undefined && survey.diskFreeBytes < MINIMUM_FREE_BYTES) {
    throw new DeployError(
      'disk-full',
      `Only ${Math.round(survey.diskFreeBytes / 1024 / 1024)} MB are free on Docker’s disk on ${site.host.name}.`,
      {
        droplet: site.host.name,
        hint: 'Free at least 512 MB, for instance with `docker image prune` there.',
      },
    );
  }
  return `Docker ${survey.docker}, compose ${survey.compose}`;
}

function firstLine(text: string | undefined): string {
  return (text ?? 'no answer').split('\n')[0] ?? '';
}

/** Two environments of one app on a droplet would share folder and compose project, and replace each other's containers. */
export function otherEnvironment(
  site: Site,
  { app, environment }: Pick<Settings, 'app' | 'environment'>,
): DeployError | undefined {
  const other = site.survey.otherEnvironment;
  if (other === undefined) return undefined;
  const message = `${site.host.name} runs ${app} for the environment ${other}: ${environment} would replace its containers.`;
  return new DeployError('environment-collision', message, {
    source: 'user',
    droplet: site.host.name,
    hint: `Give ${environment} an app of its own in config/deploy.yml, for example \`app: ${app}-${environment}\` below environments.${environment}. If the droplet serves ${other} no longer: ${loginTo(site)} rm -rf do-deploy/${app}`,
  });
}

/** Found out only when the release is started, it would leave a droplet out of rotation without a release to go back to. */
export async function refuseTakenPorts(site: Site, app: string, services: readonly ComposeService[]): Promise<void> {
  const wanted = new Set(services.flatMap(({ published }) => published));
  if (wanted.size === 0) return;
  const { stdout } = await site.connection.run(portHoldersCommand());
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
    `Port ${port} of ${site.host.name} is held by the container ${container}${owner}.`,
    {
      source: 'user',
      droplet: site.host.name,
      hint: `${same}${same ? 's' : 'S'}top it (docker stop ${container}), or publish another port.`,
    },
  );
}

/** With the user and the port that the run itself used. */
export function loginTo({ host, connection }: Site): string {
  return connection.login ?? `ssh ${host.address}`;
}
