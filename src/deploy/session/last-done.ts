/** What was done last under a name, on a fleet, is written to every droplet, because any of them may be gone tomorrow. */
import { inParallel } from '../core/parallel.js';
import { warn } from '../core/report.js';
import type { Member } from '../droplet/member.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { type Done, writeDoneCommand } from '../lease/done-commands.js';
import type { Session } from './session.js';

type Fleet = Pick<Session, 'options' | 'ports' | 'run'> & { readonly members: readonly Member[] };

/**
 * Never throws: a droplet that could not be written to is a warning.
 * @param except the droplet that knows already
 * @param what could not be recorded then, as a clause
 */
export async function recordDone(
  { members, options, ports, run }: Fleet,
  key: string,
  done: Done,
  { except, what = `that ${key} was done` }: { except?: Member; what?: string } = {},
): Promise<void> {
  if (run === undefined) return;
  await inParallel(members, async (member) => {
    if (member === except) return;
    const droplet = member.host.name;
    try {
      await run.lease.ensure(member.droplet.id);
      const command = writeDoneCommand(options.settings.app, run.id, key, done);
      const { code } = await changeDroplet(member, command);
      if (code !== 0) warn(ports, `${droplet} could not record ${what}.`, droplet);
    } catch (error) {
      const reason = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
      warn(ports, `${droplet} could not record ${what}: ${reason}.`, droplet);
    }
  });
}
