/**
 * The remote commands of changes. One that may lock everybody out is guarded: before it begins, a process is started that
 * takes it back after a minute, whatever becomes of the deployer and of the connection. Keeping it, and taking it back, both
 * begin by creating the same folder, so only one of them happens.
 */
import type { RemoteCommand } from '../../ports.js';
import { command, quote, SECOND } from '../core/shell.js';
import type { Change } from './action.js';
import { APT_HOLDER } from './apt.js';
import { NO_BOOTSTRAP_VARIABLE, ROOT_PATH } from './facts-command.js';

export type NamedChange = Change & { action: string };

/** In s. */
const UNDO_AFTER = 60;

const MINUTE = 60 * SECOND;

function guardOf(action: string): string {
  return `/run/do-deploy/guard-${action}`;
}

/** Runs what is on the droplet to take it back, unless it was kept or taken back already. */
const TAKE_BACK = 'mkdir "$guard/decided" 2>/dev/null && sh -eu "$guard/undo"';

export function changeCommand(change: NamedChange): RemoteCommand {
  const { action, sentence, script, undo, stdin, timeoutMs = 2 * MINUTE } = change;
  const lines = [
    'set -eu',
    ROOT_PATH,
    `[ -z "\${${NO_BOOTSTRAP_VARIABLE}:-}" ] || exit 1`,
    ...(undo === undefined ? script : guarded(action, script, undo)),
  ];
  return command('bootstrap', { action, change: sentence }, lines, {
    timeoutMs,
    // Of an action that was cut off, the next run finds out what is left to do.
    repeatable: false,
    ...(stdin !== undefined && { stdin }),
  });
}

function guarded(action: string, script: readonly string[], undo: readonly string[]): string[] {
  return [
    `export guard=${guardOf(action)}`,
    'mkdir -p -m 700 /run/do-deploy',
    // A run before this one may have died here: it is taken back before it is begun again.
    `if [ -d "$guard" ]; then ${TAKE_BACK} || :; rm -rf "$guard"; fi`,
    'mkdir -m 700 "$guard"',
    `printf '%s\\n' ${quote([ROOT_PATH, ...undo].join('\n'))} >"$guard/undo"`,
    // The folder may be that of a later run when the minute is over.
    ': >"$guard/$$"',
    `setsid sh -c ${quote(`sleep ${UNDO_AFTER}; [ -e "$guard/$1" ] && ${TAKE_BACK}`)} sh "$$" </dev/null >/dev/null 2>&1 &`,
    'set +e',
    '(',
    'set -e',
    ...script,
    ')',
    'code=$?',
    'set -e',
    `if [ "$code" != 0 ]; then ${TAKE_BACK} >&2 || :; exit "$code"; fi`,
  ];
}

/** Prints `kept`, or `undone` if the minute was over. */
export function keepCommand(action: string): RemoteCommand {
  return command('bootstrap-keep', { action }, [
    `guard=${guardOf(action)}`,
    // The second time, when the first answer was lost, it is kept already.
    'if mkdir "$guard/decided" 2>/dev/null; then : >"$guard/kept"; fi',
    'if [ -e "$guard/kept" ]; then echo kept; else echo undone; fi',
  ]);
}

export function takeBackCommand(action: string): RemoteCommand {
  return command(
    'bootstrap-undo',
    { action },
    [ROOT_PATH, `export guard=${guardOf(action)}`, `${TAKE_BACK} >&2 || :`],
    {
      timeoutMs: MINUTE,
    },
  );
}

/** Prints what holds apt's lock, or nothing. */
export function aptHolderCommand(): RemoteCommand {
  return command('apt-lock', {}, APT_HOLDER);
}

/** Prints cloud-init's status, `status: running`; nothing where there is none. */
export function cloudInitCommand(): RemoteCommand {
  return command('cloud-init', {}, [
    'command -v cloud-init >/dev/null 2>&1 || exit 0',
    "cloud-init status 2>/dev/null | grep '^status: ' || :",
  ]);
}

/** As the user that deploys, after a login of its own: what every deploy needs. Prints the version of Docker. */
export function readyCommand(): RemoteCommand {
  return command('bootstrap-ready', {}, ["docker version --format '{{.Server.Version}}'"]);
}
