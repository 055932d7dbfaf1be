import { DeployError } from '../../errors.js';
import { errorLine } from '../core/output-lines.js';
import { loginTo, type Member } from '../droplet/member.js';

/** A release that could not be written to the droplet's disk. */
export function storeFailed(member: Member, code: string, stderr: string): DeployError {
  const droplet = member.host.name;
  return new DeployError(code, `The release cannot be stored on ${droplet}: ${errorLine(stderr)}`, {
    droplet,
    hint: `Check the disk of the droplet: ${loginTo(member)} df -h`,
  });
}
