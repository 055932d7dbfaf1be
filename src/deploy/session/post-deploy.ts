/**
 * The event post_deploy. That it was finished for a release is recorded on the droplets: a run that has nothing to roll
 * makes up for one that died, or whose handler failed, in between.
 */
import { reasonOf } from '../../errors.js';
import { warn } from '../core/report.js';
import { readDone } from '../inspect/read-done.js';
import type { Goal } from './goal.js';
import { recordDone } from './last-done.js';
import { raise } from './lifecycle.js';
import type { Session } from './session.js';

const KEY = 'post_deploy';

/**
 * Throws DeployError layer-failed.
 * @param stop the second signal, or the end of the grace period after the first
 */
export async function postDeploy(session: Session, goal: Goal, stop: AbortSignal): Promise<void> {
  await raise(session, 'post_deploy', {}, stop);
  if (isRecorded(session, goal)) await recordFinished(session, goal.release.id);
}

/** Whether every droplet runs the release, and no run has finished post_deploy since it was rolled out. */
export async function owesPostDeploy(session: Session, goal: Goal): Promise<boolean> {
  if (!isRecorded(session, goal) || (session.run?.away ?? []).length > 0) return false;
  return (await readDone(session, KEY)).release !== goal.release.id;
}

/** Before droplets change: from now on post_deploy is due, also if it was finished for an earlier rollout of the release. */
export async function forgetPostDeploy(session: Session, goal: Goal): Promise<void> {
  if (!isRecorded(session, goal) || goal.release.id === session.made) return;
  const { number, release } = await readDone(session, KEY);
  if (release === goal.release.id) await recordDone(session, KEY, { number: number + 1, release: '' });
}

/** Without a handler nothing is due. Where droplets get different releases, there is none to record. */
function isRecorded({ options }: Session, { own }: Goal): boolean {
  return own === undefined && (options.handlers ?? []).some(({ event }) => event === 'post_deploy');
}

/** Never throws: without the record, post_deploy is raised once more. */
async function recordFinished(session: Session, release: string): Promise<void> {
  try {
    const { number } = await readDone(session, KEY);
    await recordDone(session, KEY, { number: number + 1, release });
  } catch (error) {
    warn(session.ports, `It could not be recorded that post_deploy was finished: ${reasonOf(error)}`);
  }
}
