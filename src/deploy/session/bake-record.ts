/**
 * That a release still has to bake is recorded on the droplets before it is brought to the first of them, and until the bake
 * is over: the next deploy of the release goes on with what an interrupted, failed or killed run has left.
 */
import { reasonOf } from '../../errors.js';
import { warn } from '../core/report.js';
import { BAKE_RECORD } from '../inspect/owed-bake.js';
import { readDone } from '../inspect/read-done.js';
import type { StoredRelease } from '../release/stored-release.js';
import { recordDone } from './last-done.js';
import type { Share } from './rollout.js';
import type { Session } from './session.js';

/** Whether an earlier run has brought the release to these droplets without baking it. Throws ShellError. */
export async function owesBake(session: Session, share: Share, release: StoredRelease): Promise<boolean> {
  return isRecorded(session, share) && (await readDone(fleetOf(session, share), BAKE_RECORD)).release === release.id;
}

/** Before droplets get the release. Never throws: without the record, the next deploy has nothing to go on with. */
export async function recordBakeOwed(session: Session, share: Share, release: StoredRelease): Promise<void> {
  if (isRecorded(session, share)) await record(session, share, release.id, `that release ${release.id} has to bake`);
}

/** Never throws: without the record, the next deploy bakes once more. */
export async function recordBaked(session: Session, share: Share): Promise<void> {
  if (isRecorded(session, share)) await record(session, share, '', 'that the release has baked');
}

/** `adopt` brings single droplets to a release that the others have baked. */
function isRecorded({ command }: Session, { policy: { bakeMs = 0 } }: Share): boolean {
  return command === 'deploy' && bakeMs > 0;
}

async function record(session: Session, share: Share, release: string, what: string): Promise<void> {
  const fleet = fleetOf(session, share);
  try {
    const last = await readDone(fleet, BAKE_RECORD);
    if (last.release !== release) await recordDone(fleet, BAKE_RECORD, { number: last.number + 1, release }, { what });
  } catch (error) {
    warn(session.ports, `It could not be recorded ${what}: ${reasonOf(error)}`);
  }
}

function fleetOf({ options, ports }: Session, { members, run }: Share) {
  return { options, ports, members, run };
}
