/** Remote commands for handlers of events: a one-off container of a release, and actions on running containers. */
import type { RemoteCommand } from '../../ports.js';
import type { ProcessAction } from '../../rollout/lifecycle.js';
import { appFolder, command, quote } from '../core/shell.js';
import { HANDLED, handledLine } from '../droplet/survey-command.js';
import { asHolder } from '../lease/lease-commands.js';
import { ONE_OFF_LABEL, RELEASE_LABEL, RUN_LABEL } from '../release/once-functions.js';
import { composeRun, type OneOff } from '../release/one-off.js';
import type { StoredRelease } from '../release/stored-release.js';

/** Handlers have timeouts of their own; this only bounds the command. */
export const LONGEST_MS = 24 * 3_600_000;

/** What is kept of a one-off container's output, in bytes. */
export const MAX_OUTPUT = 1024 * 1024;

/**
 * Runs words in a new container of a service, with the images and files of the release, and removes it. Its dependencies
 * are not started.
 */
export function oneOffCommand(release: StoredRelease, run: string, one: OneOff): RemoteCommand {
  const { app, id } = release;
  const labels = { [ONE_OFF_LABEL]: '', [RELEASE_LABEL]: id, [RUN_LABEL]: run };
  return command(
    'one-off',
    { app, run, release: id, ...one },
    [
      'set -u',
      `cd ${appFolder(app)} || exit 1`,
      asHolder(app, run),
      `${composeRun(release, one, { flags: '--rm', labels })} 2>&1 </dev/null`,
    ],
    { timeoutMs: LONGEST_MS, repeatable: false, maxBytes: MAX_OUTPUT, mayBeCut: true },
  );
}

/**
 * Does nothing where the service has no container. Prints how many it has found.
 * @param owed the service has to be started again: recorded first, so that a later run knows it if this one dies
 */
export function processCommand(
  app: string,
  run: string,
  one: { service: string; action: ProcessAction; owed: boolean },
): RemoteCommand {
  const { service, action, owed } = one;
  const filters = [`com.docker.compose.project=${app}`, `com.docker.compose.service=${service}`];
  const listed = [...filters, 'com.docker.compose.oneoff=False'].map((label) => `--filter ${quote(`label=${label}`)}`);
  // A signal reaches only what runs.
  const all = typeof action === 'object' && 'signal' in action ? '-q' : '-aq';
  return command(
    'process',
    { app, run, ...one },
    [
      'set -eu',
      `cd ${appFolder(app)}`,
      asHolder(app, run),
      `ids=$(docker ps ${all} --no-trunc ${listed.join(' ')})`,
      ...(owed ? [`[ -z "$ids" ] || printf '%s\\n' ${quote(handledLine(service, graceOf(action)))} >>${HANDLED}`] : []),
      // Ids are hexadecimal words.
      `[ -z "$ids" ] || docker ${verbOf(action)} $ids >/dev/null`,
      'set -- $ids',
      'echo $#',
    ],
    // A signal or a restart twice is another thing than once.
    { timeoutMs: LONGEST_MS, repeatable: action === 'start' || (typeof action === 'object' && 'stop' in action) },
  );
}

/** How long it lets a container take to stop, in ms; undefined: as long as its `stop_grace_period`. */
export function graceOf(action: ProcessAction): number | undefined {
  if (typeof action === 'string') return undefined;
  return 'signal' in action ? action.graceMs : action.stop.graceMs;
}

function verbOf(action: ProcessAction): string {
  if (typeof action === 'string') return action;
  if ('signal' in action) return `kill --signal ${quote(action.signal)}`;
  return `stop --time ${Math.ceil(action.stop.graceMs / 1_000)}`;
}
