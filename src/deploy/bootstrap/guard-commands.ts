/**
 * What takes back a change that may lock everybody out. Before the change begins, a process is started on the droplet that
 * takes it back after a minute, whatever becomes of the deployer and of the connection.
 *
 * A folder in /run holds what that needs: `undo`, the script; `decided`, a link to `kept` or to `undo`; `undone`, once the
 * script has ended well; and a file named after the process that makes the change. Making a link is atomic, and fails where
 * there is one: only the first decision counts.
 */
import type { RemoteCommand } from '../../ports.js';
import { command, quote, SECOND } from '../core/shell.js';
import { NO_BOOTSTRAP_VARIABLE, ROOT_PATH } from './facts-command.js';
import { GUARDS } from './guards.js';

/** In s. */
const UNDO_AFTER = 60;
/** Longest wait for a change that an earlier run has begun, in s. */
const WAIT_FOR_CHANGE = 30;

/** On standard output of a change that failed and could not be taken back. */
export const STUCK = 'stuck';

function guardOf(action: string): string {
  return `${GUARDS}${action}`;
}

/** What an administrator runs where all else fails. */
export function undoByHand(action: string): string {
  return `sh -eu ${guardOf(action)}/undo`;
}

const decide = (what: 'kept' | 'undo') => `ln -s ${what} "$guard/decided" 2>/dev/null`;
/** Scripts that undo may run again, but not twice at the same time. What they start does not keep the lock. */
const UNDO = 'flock -o "$guard/undo" sh -eu "$guard/undo" >&2 && : >"$guard/undone"';

/** Lines that make a change and take it back at once if it fails. */
export function guarded(action: string, script: readonly string[], undo: readonly string[]): string[] {
  const undoLines = [ROOT_PATH, `guard=${guardOf(action)}`, ...undo];
  return [
    `export guard=${guardOf(action)}`,
    'mkdir -p -m 700 /run/do-deploy',
    `mkdir -m 700 "$guard" 2>/dev/null || { echo "another bootstrap is changing ${action}" >&2; exit 1; }`,
    `printf '%s\\n' ${quote(undoLines.join('\n'))} >"$guard/undo"`,
    // The folder may be that of a later run when the minute is over.
    ': >"$guard/$$"',
    `setsid sh -c ${quote(`sleep ${UNDO_AFTER}; [ -e "$guard/$1" ] && ${decide('undo')} && ${UNDO}`)} sh "$$" </dev/null >/dev/null 2>&1 &`,
    'set +e',
    '(',
    'set -e',
    ...script,
    ')',
    'code=$?',
    'set -e',
    // It was taken back while it was being made: what came after that is taken back as well.
    `if [ "$code" = 0 ] && [ -L "$guard/decided" ]; then echo "it took longer than ${UNDO_AFTER} s" >&2; code=1; fi`,
    'if [ "$code" != 0 ]; then',
    `  ${decide('undo')} || :`,
    '  rm -f "$guard/undone"',
    `  { ${UNDO}; } || echo ${STUCK}`,
    '  exit "$code"',
    'fi',
  ];
}

/** Prints `kept`, or `undone` if the minute was over. */
export function keepCommand(action: string): RemoteCommand {
  return command('bootstrap-keep', { action }, [
    `guard=${guardOf(action)}`,
    // The second time, when the first answer was lost, it is kept already.
    `${decide('kept')} || :`,
    'if [ "$(readlink "$guard/decided")" = kept ]; then echo kept; else echo undone; fi',
  ]);
}

/** Succeeds once the change is taken back, by this command or by the droplet itself. */
export function takeBackCommand(action: string): RemoteCommand {
  return command(
    'bootstrap-undo',
    { action },
    [
      'set -eu',
      ROOT_PATH,
      `export guard=${guardOf(action)}`,
      `${decide('undo')} || :`,
      'if [ "$(readlink "$guard/decided")" != undo ]; then echo "nothing is there to take it back" >&2; exit 1; fi',
      `[ -e "$guard/undone" ] || { ${UNDO}; }`,
    ],
    { timeoutMs: UNDO_AFTER * SECOND },
  );
}

/**
 * Takes back what earlier runs did not confirm, so that it is not taken back behind this one. Waits for a change that is
 * still being made. Prints the actions of those that were not decided yet.
 */
export function settleCommand(): RemoteCommand {
  return command(
    'bootstrap-settle',
    {},
    [
      'set -eu',
      ROOT_PATH,
      `[ -z "\${${NO_BOOTSTRAP_VARIABLE}:-}" ] || exit 0`,
      `for guard in ${GUARDS}*; do`,
      '  [ -d "$guard" ] || continue',
      '  export guard',
      `  action=\${guard##*/guard-}`,
      '  for marker in "$guard"/*; do',
      `    pid=\${marker##*/}`,
      '    case $pid in *[!0-9]*) continue ;; esac',
      '    tries=0',
      '    while kill -0 "$pid" 2>/dev/null; do',
      '      tries=$((tries + 1))',
      `      [ "$tries" -le ${WAIT_FOR_CHANGE} ] || { echo "another bootstrap is changing $action" >&2; exit 1; }`,
      '      sleep 1',
      '    done',
      '  done',
      `  if ${decide('undo')}; then echo "$action"; fi`,
      '  if [ "$(readlink "$guard/decided")" = undo ] && [ ! -e "$guard/undone" ]; then',
      `    { ${UNDO}; } || { echo "error: $action, which an earlier run did not confirm, cannot be taken back" >&2; exit 1; }`,
      '  fi',
      '  rm -rf "$guard"',
      'done',
    ],
    { timeoutMs: 3 * UNDO_AFTER * SECOND },
  );
}
