/** Refuses a pull that cannot fit on the droplet's disk, before it begins. */
import { DeployError, ShellError } from '../../errors.js';
import { sizeText } from '../../sizes.js';
import type { Member } from '../droplet/member.js';
import { freeSpace } from './free-space.js';
import { type Room, readRoom, roomCommand } from './room-command.js';
import type { Staging } from './staging.js';

/**
 * Docker keeps a compressed layer at least until it has unpacked it, and unpacked it is at least as large. Most need more:
 * this must not refuse what would fit.
 */
const UNPACKED = 2;

/**
 * Where the sizes cannot be learnt, the pull has to show whether it fits.
 * Throws DeployError disk-full.
 */
export async function checkRoom({ draft, login }: Staging, member: Member, images: readonly string[]): Promise<void> {
  const command = roomCommand(draft, images, login);
  if (command === undefined) return;
  const answer = await member.connection.run(command).catch((error: unknown) => {
    if (error instanceof ShellError) return undefined;
    throw error;
  });
  const room = answer && readRoom(answer.stdout);
  if (room !== undefined) refuseFull(member, room);
}

/** Throws DeployError disk-full. */
export function refuseFull(member: Member, { freeBytes, missingBytes }: Room): void {
  const needed = UNPACKED * missingBytes;
  if (needed <= freeBytes) return;
  const droplet = member.host.name;
  const message = `${droplet} has ${sizeText(freeBytes)} of room for images, and the pull needs at least ${sizeText(needed, 'up')}.`;
  throw new DeployError('disk-full', message, { droplet, hint: freeSpace(member) });
}
