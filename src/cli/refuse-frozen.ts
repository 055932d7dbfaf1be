/** Freezes: a command that would deploy is refused in one, before anything is contacted. */
import { type FreezeWindow, frozenAt } from '../config/freeze.js';
import { fromNow } from '../durations.js';
import { DeployError } from '../errors.js';

/**
 * Throws DeployError frozen.
 * @param anyway the command line that runs it all the same
 */
export function refuseFrozen(environment: string, windows: readonly FreezeWindow[], now: number, anyway: string): void {
  const frozen = frozenAt(windows, now);
  if (frozen === undefined) return;
  const { window, until, isFollowed } = frozen;
  const { from, to, timezone } = window;
  const sentence =
    until === undefined ? 'Freeze windows follow each other without an end.' : ending(until, now, timezone, isFollowed);
  throw new DeployError(
    'frozen',
    `${environment} is frozen from ${from} to ${to} (${timezone}). ${sentence} Nothing was contacted.`,
    {
      source: 'user',
      hint: `${until === undefined ? 'Correct freeze:' : 'Wait until then'}, or run it all the same: ${anyway}`,
    },
  );
}

/** "That ends on Monday 30 November 2026 at 08:00 there (2026-11-30T07:00Z), in 2 d 15 h." */
function ending(until: number, now: number, timeZone: string, isFollowed: boolean): string {
  const ends = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'short' }).format(until);
  const utc = new Date(until).toISOString().replace(/:00\.000Z$/, 'Z');
  return `${isFollowed ? 'Another freeze follows without a gap; the last one' : 'That'} ends on ${ends} there (${utc}), ${fromNow(until - now)}.`;
}
