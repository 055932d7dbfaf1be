/** The gates have passed: the release is confirmed on the droplet, and the droplet leaves the ledger. */

import { asDeployError, DeployError } from '../../errors.js';
import type { RemoteCommand } from '../../ports.js';
import { errorLine } from '../core/output-lines.js';
import { appFolder, command, quote, writeFile } from '../core/shell.js';
import { loginTo, type Member, nextState } from '../droplet/member.js';
import { type DropletStateFile, HANDLED } from '../droplet/survey-command.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import type { StepContext, StepResult } from './run.js';
import { stoppedAfter } from './stopping.js';

/** The gates have passed: `current` points to the release, and the droplet counts as verified. */
export function confirmCommand(app: string, state: DropletStateFile): RemoteCommand {
  return command('confirm', { app, release: state.release, state }, [
    'set -eu',
    `cd ${appFolder(app)}`,
    asHolder(app, state.run),
    // A rename replaces the link atomically; where mv lacks -T it takes two moves.
    `ln -sfn releases/${quote(state.release)} current.new`,
    'mv -Tf current.new current 2>/dev/null || { rm -f current; mv current.new current; }',
    ...writeFile('state.json', state),
    `rm -f out.json ${HANDLED}`,
  ]);
}

function clearMarkCommand(app: string, run: string): RemoteCommand {
  return command('clear-mark', { app, run }, [asHolder(app, run), `rm -f ${appFolder(app)}/out.json`]);
}

export async function clearMark(member: Member, run: StepContext): Promise<StepResult> {
  const { app } = run.settings;
  if (run.release === undefined) {
    await mustChange(member, clearMarkCommand(app, run.id));
    await clearLedger(member, run);
    return {};
  }
  const written = { run: run.id, since: new Date(run.ports.clock.now()).toISOString() };
  const stopped = stoppedAfter(member, run.release.id, run.stopping);
  const state = nextState(member, run.release.id, 'verified', written, stopped, run.condemned);
  await mustChange(member, confirmCommand(app, state));
  member.handled?.clear();
  const survey = { ...member.survey, current: run.release.id, state };
  try {
    await run.anchor?.verified(run.release, () => run.lease.ensure(member.droplet.id));
    await clearLedger(member, run);
    return { survey };
  } catch (error) {
    return { survey, failure: asDeployError(error) };
  }
}

async function clearLedger(member: Member, run: StepContext): Promise<void> {
  if (!run.target.isFleet) return;
  await run.ledger.clear(member.droplet.id, () => run.lease.ensure(member.droplet.id));
}

/** A droplet whose release could not be confirmed stays in the ledger: its files would mislead the next run. */
async function mustChange(member: Member, command: RemoteCommand): Promise<void> {
  const { code, stderr } = await changeDroplet(member, command);
  if (code === 0) return;
  const reason = errorLine(stderr, `exit code ${code}`);
  throw new DeployError('confirm-failed', `Recording the release on ${member.host.name} failed: ${reason}`, {
    droplet: member.host.name,
    hint: `Is its disk full? ${loginTo(member)} df -h`,
  });
}
