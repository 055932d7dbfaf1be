import { DeployError } from '../../errors.js';
import { isOldDocker } from '../../rollout/drift.js';
import { sizeText } from '../../sizes.js';
import { type ReportingPorts, warn } from '../core/report.js';
import { dockerRemedy } from '../droplet/docker-remedy.js';
import { loginTo, type Member } from '../droplet/member.js';
import { freeSpace } from './free-space.js';

const MINIMUM_FREE_BYTES = 512 * 1024 * 1024;

/** Droplets that one warning names. */
const MOST_NAMED = 5;

/**
 * Preconditions for staging a release on a droplet: Docker, compose and disk. Returns the versions, for people.
 * Throws DeployError docker-missing, compose-missing or disk-full.
 */
export function checkDroplet(member: Member): string {
  const { docker, compose, diskFreeBytes, problems } = member.survey;
  const droplet = member.host.name;
  const refuse = (code: string, message: string, hint: string) => new DeployError(code, message, { droplet, hint });
  if (docker === undefined) {
    throw refuse(
      'docker-missing',
      `Docker does not answer on ${droplet}: ${firstLine(problems[0])}.`,
      dockerRemedy(member, problems[0] ?? ''),
    );
  }
  if (compose === undefined || Number.parseInt(compose, 10) < 2) {
    throw refuse(
      'compose-missing',
      `${droplet} needs Docker Compose 2 or newer: ${firstLine(compose ?? problems[0])}.`,
      `Install the plugin: ${loginTo(member)} sudo apt-get install --yes docker-compose-plugin`,
    );
  }
  if (diskFreeBytes !== undefined && diskFreeBytes < MINIMUM_FREE_BYTES) {
    throw refuse(
      'disk-full',
      `Only ${sizeText(diskFreeBytes)} are free on Docker's disk on ${droplet}, and a deploy needs 512 MB.`,
      freeSpace(member),
    );
  }
  return `Docker ${docker}, compose ${compose}`;
}

/** One warning for all droplets whose Docker is older than the README demands. */
export function warnAboutOldDocker(ports: ReportingPorts, members: readonly Member[]): void {
  const old = members.flatMap(({ host, survey: { docker } }) =>
    docker !== undefined && isOldDocker(docker) ? [`${host.name} (${docker})`] : [],
  );
  if (old.length === 0) return;
  const shown = old.slice(0, MOST_NAMED).join(', ');
  const more = old.length > MOST_NAMED ? ` and ${old.length - MOST_NAMED} more droplets` : '';
  warn(ports, `Docker is older than 20.10, the oldest that do-deploy is tested with, on ${shown}${more}.`);
}

function firstLine(text = 'no answer'): string {
  return text.split('\n')[0] ?? '';
}
