/** Freezes: a command that would deploy is refused in one, before anything is contacted. */
import { type FreezeWindow, frozenAt } from '../config/freeze.js';
import { inWords } from '../durations.js';
import { DeployError } from '../errors.js';
import { commandLine } from './usage-errors.js';

/** Throws DeployError frozen. */
export function refuseFrozen(
  environment: string,
  windows: readonly FreezeWindow[],
  now: number,
  argv: readonly string[],
): void {
  const frozen = frozenAt(windows, now);
  if (frozen === undefined) return;
  const { window, until } = frozen;
  const { from, to, timezone } = window;
  const ends = new Intl.DateTimeFormat('en-GB', { timeZone: timezone, dateStyle: 'full', timeStyle: 'short' }).format(
    until,
  );
  const utc = new Date(until).toISOString().replace(/:00\.000Z$/, 'Z');
  throw new DeployError(
    'frozen',
    `${environment} is frozen from ${from} to ${to} (${timezone}). That ends on ${ends} there (${utc}), ${inWords(until - now)} from now. Nothing was contacted.`,
    { source: 'user', hint: `wait until then, or run it all the same: ${commandLine([...argv, '--during-freeze'])}` },
  );
}
