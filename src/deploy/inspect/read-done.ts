import type { Settings } from '../../config/settings.js';
import { inParallel } from '../core/parallel.js';
import type { Member } from '../droplet/member.js';
import { type Done, readDoneCommand, readLine } from '../lease/done-commands.js';

/** What was done last under a name: the latest that any of the droplets knows. Throws ShellError. */
export async function readDone(
  { members, options }: { members: readonly Member[]; options: { settings: Pick<Settings, 'app'> } },
  key: string,
): Promise<Done> {
  const known = await inParallel(members, async ({ connection }) => {
    const { stdout } = await connection.run(readDoneCommand(options.settings.app, key));
    return readLine(stdout) ?? [];
  });
  return known.flat().reduce(later, { number: 0, release: '' });
}

/** Of the same number with different releases, neither can be trusted. */
function later(a: Done, b: Done): Done {
  if (a.number !== b.number) return a.number > b.number ? a : b;
  return a.release === b.release ? a : { number: a.number, release: '' };
}
