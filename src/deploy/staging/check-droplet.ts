import { DeployError } from '../../errors.js';
import { sizeText } from '../core/sizes.js';
import type { Member } from '../droplet/member.js';
import { freeSpace } from './free-space.js';

const MINIMUM_FREE_BYTES = 512 * 1024 * 1024;

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
      'Install Docker Engine, start it, and let the SSH user use it (group docker).',
    );
  }
  if (compose === undefined || Number.parseInt(compose, 10) < 2) {
    throw refuse(
      'compose-missing',
      `${droplet} needs Docker Compose 2 or newer: ${firstLine(compose ?? problems[0])}.`,
      'Install the package docker-compose-plugin on the droplet.',
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

function firstLine(text = 'no answer'): string {
  return text.split('\n')[0] ?? '';
}
