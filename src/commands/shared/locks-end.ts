import type { CommandEnd } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import type { LockRow } from '../../deploy/inspect/read-locks.js';

/** Fails if the lock of a droplet is not known. */
export function locksEnd(environment: string, rows: LockRow[]): CommandEnd {
  const isUnknown = rows.some(({ state }) => state === 'unknown');
  return { exit: isUnknown ? EXIT.failed : EXIT.ok, output: { type: 'locks', environment, rows } };
}
