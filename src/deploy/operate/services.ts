/** The release that a droplet runs, and its services. */

import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { ContainerView } from '../../rollout/health.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
import { errorLine } from '../core/output-lines.js';
import { appFolder, command, quote } from '../core/shell.js';
import { environmentCollision } from '../droplet/environment-collision.js';
import { currentRelease, loginTo, type Member } from '../droplet/member.js';
import { survey } from '../droplet/survey.js';
import { composeVariables } from '../release/compose-run.js';
import type { StoredRelease } from '../release/stored-release.js';

/** Reads the droplet. Throws DeployError no-release or environment-collision, or ShellError. */
export async function readRelease(member: Member, settings: Settings): Promise<StoredRelease> {
  await survey(member, settings);
  const collision = environmentCollision(member, settings);
  if (collision !== undefined) throw collision;
  const release = currentRelease(member);
  if (release !== undefined) return release;
  const { name } = member.host;
  const { app } = settings;
  throw new DeployError('no-release', `${name} has no release of ${app}.`, {
    source: 'user',
    droplet: name,
    hint: `Deploy one: ${doDeploy(settings, 'deploy', 'RELEASE')}. If others run one already: ${doDeploy(settings, 'adopt')}`,
  });
}

/** The service to take where none is named: the only one, or `app`, or `web`. Throws DeployError service-missing. */
export function defaultService({ id, services }: StoredRelease, of: Pick<Settings, 'config'>): string {
  const names = services.map(({ name }) => name);
  const found = names.length === 1 ? names[0] : ['app', 'web'].find((name) => names.includes(name));
  if (found !== undefined) return found;
  throw new DeployError('service-missing', `Which service of the release ${id}?`, {
    source: 'user',
    hint: `Name one: ${names.join(', ')}. Or set console.service in ${configFile(of)}.`,
  });
}

/** Throws DeployError unknown-service. Services behind a profile that is off count as well. */
export async function checkService(member: Member, release: StoredRelease, service: string): Promise<void> {
  if (release.services.some(({ name }) => name === service)) return;
  const { code, stderr } = await member.connection.run(knowsCommand(release, service));
  if (code !== 0) throw unknownService(release, service, errorLine(stderr, ''));
}

export function unknownService(release: StoredRelease, service: string, said = ''): DeployError {
  const names = release.services.map(({ name }) => name);
  const reason = said === '' || /no such service/i.test(said) ? '' : ` (compose: ${said})`;
  return new DeployError('unknown-service', `The release ${release.id} has no service ${service}${reason}.`, {
    source: 'user',
    hint: `Its services are ${names.join(', ')}.`,
  });
}

function knowsCommand(release: StoredRelease, service: string) {
  const { app, id, composeFiles, envFiles } = release;
  const files = [...composeFiles, 'images.yml'].flatMap((file) => ['-f', file]);
  const envs = envFiles.flatMap((file) => ['--env-file', file]);
  const words = ['docker', 'compose', '--project-name', app, ...files, ...envs, 'config', '--quiet', service];
  return command('knows-service', { app, release: id, service }, [
    'set -eu',
    `cd ${appFolder(app)}/releases/${quote(id)}`,
    `${composeVariables(release)} ${words.map(quote).join(' ')}`,
  ]);
}

/** The container of the service that runs. Throws DeployError unknown-service or not-running. */
export function runningContainer(member: Member, release: StoredRelease, service: string): ContainerView {
  const own = member.containers.filter((one) => one.service === service);
  const running = own.find(({ state }) => state === 'running');
  if (running !== undefined) return running;
  if (own.length === 0 && !release.services.some(({ name }) => name === service)) {
    throw unknownService(release, service);
  }
  const { name } = member.host;
  throw new DeployError('not-running', `No container of ${service} runs on ${name}.`, {
    droplet: name,
    hint: `See why: ${loginTo(member)} docker ps --all --filter label=com.docker.compose.project=${release.app}`,
  });
}
