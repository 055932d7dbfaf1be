/** Asks the registry through a droplet, which has its login and its network; nothing is pulled. */
import { ShellError } from '../../errors.js';
import { currentRelease, type Member } from '../droplet/member.js';
import type { RegistryLogin } from '../staging/registry-login.js';
import { manifestsCommand } from '../staging/room-command.js';

/** Undefined where the droplet cannot ask. */
export async function roomOn(
  member: Member,
  login: RegistryLogin | undefined,
  images: readonly string[],
): Promise<string | undefined> {
  const current = currentRelease(member);
  const ask = current && manifestsCommand(current, current.id, images, login);
  if (ask === undefined) return undefined;
  try {
    return (await member.connection.run(ask)).stdout;
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}
