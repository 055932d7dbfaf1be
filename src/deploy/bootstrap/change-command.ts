/** The remote command of a change. */
import type { RemoteCommand } from '../../ports.js';
import { command, SECOND } from '../core/shell.js';
import type { Change } from './action.js';
import { NO_BOOTSTRAP_VARIABLE, ROOT_PATH } from './facts-command.js';
import { guarded } from './guard-commands.js';

export type NamedChange = Change & { action: string };

const MINUTE = 60 * SECOND;

export function changeCommand({ action, sentence, script, undo, stdin, usesApt }: NamedChange): RemoteCommand {
  const lines = [
    'set -eu',
    ROOT_PATH,
    `[ -z "\${${NO_BOOTSTRAP_VARIABLE}:-}" ] || exit 1`,
    ...(undo === undefined ? script : guarded(action, script, undo)),
  ];
  return command('bootstrap', { action, change: sentence }, lines, {
    // Packages are downloaded, perhaps by a slow mirror.
    timeoutMs: (usesApt ? 15 : 5) * MINUTE,
    // Of an action that was cut off, the next run finds out what is left to do.
    repeatable: false,
    ...(stdin !== undefined && { stdin }),
  });
}
