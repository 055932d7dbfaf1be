/** The gates have passed: the droplet confirms its release, and leaves the ledger. */

import { DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { appFolder, command, quote, writeFile } from '../core/shell.js';
import { loginTo, type Member, nextState } from '../droplet/member.js';
import type { DropletStateFile } from '../droplet/survey-command.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import type { StepContext } from './run.js';
/** The gates have passed: `current` points to the release, and the droplet counts as verified. */
export function confirmCommand(app: string, state: DropletStateFile): RemoteCommand {
  return command('confirm', { app, release: state.release, state }, [
    'set -eu',
    `cd ${appFolder(app)}`,
    asHolder(app, state.run),
    // A rename replaces the link at once; where mv lacks -T the link is replaced in two moves.
    `ln -sfn releases/${quote(state.release)} current.new`,
    'mv -Tf current.new current 2>/dev/null || { rm -f current; mv current.new current; }',
    ...writeFile('state.json', state),
    'rm -f out.json',
  ]);
}

export function clearMarkCommand(app: string, run: string): RemoteCommand {
  return command('clear-mark', { app, run }, [asHolder(app, run), `rm -f ${appFolder(app)}/out.json`]);
}

export async function clearOut(member: Member, run: StepContext): Promise<undefined> {
  const { app } = run.settings;
  if (run.release === undefined) await must(member, clearMarkCommand(app, run.id));
  else {
    const written = { run: run.id, since: new Date(run.ports.clock.now()).toISOString() };
    const state = nextState(member, run.release.id, 'verified', written);
    await must(member, confirmCommand(app, state));
    member.survey = { ...member.survey, current: run.release.id, state };
  }
  if (run.target.healthCheck !== undefined) {
    await run.ledger.clear(member.droplet.id, () => run.lease.ensure(member.droplet.id));
  }
}

/** A droplet whose release could not be confirmed stays in the ledger: its files would tell the next run something else. */
async function must(member: Member, command: RemoteCommand): Promise<void> {
  const { code, stderr } = await changeDroplet(member, command);
  if (code === 0) return;
  const reason = stderr.trim().split('\n').at(-1) || `exit code ${code}`;
  throw new DeployError('confirm-failed', `What ${member.host.name} runs could not be written down there: ${reason}`, {
    droplet: member.host.name,
    hint: `Is its disk full? ${loginTo(member)} df -h`,
  });
}
