/** Remote commands for handlers of events: a one-off container of a release, and actions on running containers. */
import type { RemoteCommand } from '../../ports.js';
import type { ProcessAction } from '../../rollout/lifecycle.js';
import { appFolder, command, quote } from '../core/shell.js';
import { HANDLED } from '../droplet/survey-command.js';
import { asHolder } from '../lease/lease-commands.js';
import type { StoredRelease } from '../release/stored-release.js';
import { type Done, lineOf, recordOf, writing } from './done-commands.js';

/** Handlers have timeouts of their own; this only bounds the command. */
const LONGEST_MS = 24 * 3_600_000;

/** What is shown of a one-off container's output, in bytes. */
const MAX_OUTPUT = 1024 * 1024;

/**
 * Runs words in a new container of a service, with the images and files of the release, and removes it. Its dependencies
 * are not started. With `once`, the success is recorded on the droplet as `done`, and where it is recorded, nothing runs.
 */
export function oneOffCommand(
  release: StoredRelease,
  run: string,
  one: { service: string; words: readonly string[]; once?: { key: string; done: Done } },
): RemoteCommand {
  const { app, id } = release;
  const files = [...release.composeFiles, 'images.yml'].flatMap((file) => ['-f', file]);
  const envFiles = release.envFiles.flatMap((file) => ['--env-file', file]);
  const compose = ['docker', 'compose', '--project-name', app, ...files, ...envFiles];
  const words = [...compose, 'run', '--rm', '--no-deps', '-T', one.service, ...one.words].map(quote).join(' ');
  const { once } = one;
  return command(
    'one-off',
    { app, run, release: id, ...one },
    [
      'set -u',
      `cd ${appFolder(app)} || exit 1`,
      asHolder(app, run),
      ...(once === undefined
        ? []
        : [
            // One that a lost connection has left running: this one waits for its end.
            'exec 8>>done.lock',
            'flock 8',
            asHolder(app, run),
            `if [ "$(cat ${quote(recordOf(once.key))} 2>/dev/null)" = ${quote(lineOf(once.done))} ]; then exit 0; fi`,
          ]),
      // In a subshell: the paths of records are relative to the app's folder.
      `(cd releases/${quote(id)} && export DEPLOY_ENV=${quote(release.environment)} IMAGE_TAG=${quote(release.imageTag)} && ${words} 2>&1 </dev/null)`,
      'code=$?',
      ...(once === undefined ? [] : [`[ $code != 0 ] || { ${writing(once.key, once.done)}; } || exit 74`]),
      'exit $code',
    ],
    { timeoutMs: LONGEST_MS, repeatable: false, maxBytes: MAX_OUTPUT, mayBeCut: true },
  );
}

/**
 * Does nothing where the service has no container.
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
      ...(owed ? [`[ -z "$ids" ] || printf '%s\\n' ${quote(service)} >>${HANDLED}`] : []),
      // Ids are hexadecimal words.
      `[ -z "$ids" ] || docker ${verbOf(action)} $ids >/dev/null`,
    ],
    // A signal or a restart twice is another thing than once.
    { timeoutMs: LONGEST_MS, repeatable: action === 'start' || (typeof action === 'object' && 'stop' in action) },
  );
}

function verbOf(action: ProcessAction): string {
  if (typeof action === 'string') return action;
  if ('signal' in action) return `kill --signal ${quote(action.signal)}`;
  return `stop --time ${Math.ceil(action.stop.graceMs / 1_000)}`;
}
