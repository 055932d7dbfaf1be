/**
 * A one-off container that runs once for a release, whatever dies: the deployer, its connection, compose, the shell.
 *
 * The container belongs to Docker, not to the connection. Its name is fixed, so Docker never runs two. A process in a
 * session of its own holds the lock, waits for the container's end, records the success and then removes the container.
 * The command itself only follows the output. A run that finds the container of an earlier one waits for it; where
 * nobody looks after that one any more, it does so itself.
 */
import type { RemoteCommand } from '../../ports.js';
import type { Speaker } from '../../rollout/lifecycle.js';
import { type DockerLine, DockerLog } from '../core/docker-log.js';
import type { LineReader } from '../core/line-feed.js';
import { appFolder, command, quote } from '../core/shell.js';
import { type Done, lineOf } from '../lease/done-commands.js';
import { asHolder } from '../lease/lease-commands.js';
import { NUMBER_LABEL, ONCE_FUNCTIONS, recordOf } from '../release/once-functions.js';
import { composeRun, ONE_OFF_LABEL, type OneOff, RELEASE_LABEL, RUN_LABEL } from '../release/one-off.js';
import type { StoredRelease } from '../release/stored-release.js';
import { LONGEST_MS, MAX_OUTPUT } from './one-off-commands.js';

/** Exit code: the success cannot be recorded. */
export const NOT_RECORDED = 74;

/** Held while a `once` container runs, by the process that looks after it; by earlier versions as well. */
const LOCK = 'done.lock';

/** What this command says of another container; no line of Docker begins like this. */
const WAITING = 'waiting for the ';

/** Held, shared, by those who still read the output and the exit code of a container. */
const READING = 'done.reading';

export function onceContainer(app: string, key: string): string {
  return `${app}-${key}-once`;
}

/**
 * Prints the output, and on stderr `ended CODE`; or `before` when it was done already; or `again` when it has waited for an
 * earlier one, so that the record is another one now: nothing was started, and the command has to be made anew. A repeated
 * command follows the same container from the beginning of its output.
 */
export function onceCommand(
  release: StoredRelease,
  run: string,
  one: OneOff & { once: { key: string; done: Done } },
): RemoteCommand {
  const { app, id } = release;
  const { key, done } = one.once;
  const name = onceContainer(app, key);
  const [number = ''] = lineOf(done).split(' ');
  const labels = {
    [ONE_OFF_LABEL]: key,
    [RELEASE_LABEL]: id,
    [RUN_LABEL]: run,
    [NUMBER_LABEL]: number,
  };
  const flags = `--detach --name ${quote(name)} "$@"`;
  return command(
    'once',
    { app, run, release: id, ...one },
    [
      'set -u',
      `cd ${appFolder(app)} || exit 1`,
      asHolder(app, run),
      'umask 077',
      `keeper=${quote([...functions(app, key), ...KEEPER].join('\n'))}`,
      ...functions(app, key),
      ...DETACHED,
      `start() { ${composeRun(release, one, { flags, labels })} 2>&1 >/dev/null </dev/null; }`,
      `exec 8>>${LOCK}`,
      // What was done for it before something else was done does not count.
      `is_own() { [ "$1" = ${quote(id)} ] && [ "$2" -ge ${number} ] 2>/dev/null; }`,
      'is_done() { { read -r had whose _ <"$record"; } 2>/dev/null && is_own "$whose" "$had"; }',
      `not_recorded() { echo ${quote(`the success of ${name} cannot be recorded`)} >&2; exit ${NOT_RECORDED}; }`,
      'waited=',
      'while :; do',
      '  find_one || exit 1',
      '  if flock -n 8; then',
      '    find_one || exit 1',
      '    if [ -n "$one" ] && facts "$one"; then',
      '      case $status in',
      // Compose died before it started it: it never ran.
      '        created) docker rm -v "$one" >/dev/null && one= || exit 1 ;;',
      // Its keeper was killed. One that has failed runs again, as it does after a keeper has removed it.
      '        exited | dead)',
      '          await_end "$one" "$status"',
      '          [ -n "$code$missed" ] || exit 1',
      '          settle "$code" || not_recorded',
      '          [ -z "$missed" ] || echo "this Docker cannot tell how the container $name has ended: it counts as failed"',
      '          is_own "$release" "$number" || waited=yes',
      '          docker rm -v "$one" >/dev/null && one= || exit 1',
      '          ;;',
      '      esac',
      '    fi',
      '    if [ -z "$one" ]; then',
      '      if is_done; then echo before >&2; exit 0; fi',
      '      if [ -n "$waited" ]; then echo again >&2; exit 0; fi',
      indented(asHolder(app, run), 6),
      '      code=0',
      '      said=$(start --interactive=false) || code=$?',
      // Before compose 2.2.3 the flag does not exist.
      "      case $code:$said in 0:*) ;; *'unknown flag: --interactive'*) code=0; said=$(start) || code=$? ;; esac",
      '      find_one || exit 1',
      // Compose may fail and have started it nevertheless; one that was only created never runs.
      '      if [ $code != 0 ] && [ -n "$one" ] && facts "$one" && [ "$status" = created ]; then',
      '        docker rm -v "$one" >/dev/null && one= || exit 1',
      '      fi',
      `      if [ $code != 0 ] && [ -z "$one" ]; then printf '%s\\n' "$said"; echo "ended $code" >&2; exit 0; fi`,
      `      [ -n "$one" ] || { echo ${quote(`somebody has removed the container ${name}`)} >&2; exit 1; }`,
      // It may have ended already: Docker has seen that.
      '      status=running',
      '    fi',
      `    exec 7>>${READING}`,
      '    flock -s 7',
      // It inherits the lock.
      '    detached sh -c "$keeper" sh "$one" "$status" </dev/null >/dev/null 2>&1 7>&- &',
      `    exec 8>&- 8>>${LOCK}`,
      '  elif [ -n "$one" ]; then',
      `    exec 7>>${READING}`,
      '    flock -s 7',
      '  else',
      `    [ -n "$waited" ] || echo "${WAITING}end of another one-off container of this app"`,
      '    waited=yes',
      '    sleep 1',
      '    continue',
      '  fi',
      '  if ! facts "$one"; then exec 7>&-; sleep 0.1; continue; fi',
      `  if [ "$run" != ${quote(run)} ]; then`,
      '    waited=yes',
      `    echo "${WAITING}container $name, which an earlier run has started for $release"`,
      '  fi',
      // Of its lines, those of the program have their time: others are Docker's own.
      '  docker logs --follow --timestamps "$one" 2>&1',
      '  await_end "$one" later',
      '  exec 7>&-',
      '  if lock 8; then',
      '    find_one || exit 1',
      // Its keeper was killed.
      '    if [ -n "$one" ] && [ -n "$code" ]; then',
      '      settle "$code" || not_recorded',
      '      docker rm -v "$one" >/dev/null 2>&1',
      '    fi',
      '  fi',
      '  if is_own "$release" "$number"; then break; fi',
      '  echo again >&2',
      '  exit 0',
      'done',
      'if [ -z "$code" ] && is_done; then code=0; fi',
      `[ -n "$code" ] || { echo "the exit code of the container $name is not known: it was removed, or Docker does not tell" >&2; exit 1; }`,
      // Somebody else has removed the container before its keeper could record it.
      'if [ "$code" = 0 ] && ! is_done; then { lock 8 && note "$number" "$release"; } || not_recorded; fi',
      'echo "ended $code" >&2',
    ],
    { timeoutMs: LONGEST_MS, maxBytes: MAX_OUTPUT, mayBeCut: true },
  );
}

/** Prints the id of the container under this name, if there is one: it runs, or nobody has taken its exit code. */
export function findOnceCommand(app: string, key: string): RemoteCommand {
  return command('find-once', { app, key }, [`docker ps -aq --no-trunc ${filtersOf(app, key)}`], {
    reads: true,
  });
}

function filtersOf(app: string, key: string): string {
  const labels = [`com.docker.compose.project=${app}`, `${ONE_OFF_LABEL}=${key}`];
  return labels.map((label) => `--filter ${quote(`label=${label}`)}`).join(' ');
}

/** Reads stderr. Undefined: how it ended is not known, or nothing was run. */
export function readEnd(stderr: string): number | 'before' | 'again' | undefined {
  const [, code, instead] = /^(?:ended (\d{1,3})|(before|again))$/m.exec(stderr) ?? [];
  if (instead === 'before' || instead === 'again') return instead;
  return code === undefined ? undefined : Number(code);
}

/** Who has said a line of the command's output, and what. */
export interface Spoken {
  text: string;
  speaker: Speaker;
}

/** The command's output as lines. Times of Docker are not part of them. */
export function spokenLines(): LineReader<Spoken> {
  const log = new DockerLog(2, MAX_OUTPUT);
  return {
    read: (chunk) => log.read(chunk).map(spoken),
    end: () => log.end().map(spoken),
  };
}

function spoken({ time, text: bytes, isCut }: DockerLine): Spoken {
  const text = `${bytes.toString('utf8')}${isCut ? '…' : ''}`;
  if (time !== undefined) return { text, speaker: 'program' };
  return { text, speaker: text.startsWith(WAITING) ? 'do-deploy' : 'docker' };
}

/** Functions of the command and of the keeper. */
function functions(app: string, key: string): string[] {
  return [
    `record=${quote(recordOf(key))}`,
    // Docker that does not answer is no proof that there is none.
    `find_one() { ids=$(docker ps -aq --no-trunc ${filtersOf(app, key)}) || return 1; set -- $ids; one=\${1:-}; }`,
    ...ONCE_FUNCTIONS,
  ];
}

/** Without a record the container stays: it is the record. */
const KEEPER = [
  'set -u',
  // Before it ends: compose may remove it at that moment.
  'facts "$1" || exit 0',
  'await_end "$1" "$2"',
  '[ -n "$code" ] || exit 0',
  'settle "$code" || exit 0',
  // Whoever follows takes the exit code first.
  `exec 7>>${READING}`,
  'lock 7 || :',
  'docker rm -v "$1"',
];

/** Runs a program in a session of its own: neither the end of this one nor a signal to its processes reaches it. */
const DETACHED = [
  'detached() {',
  '  if command -v setsid >/dev/null; then exec setsid "$@"; fi',
  `  if command -v perl >/dev/null; then exec perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@"; fi`,
  `  if command -v python3 >/dev/null; then exec python3 -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@"; fi`,
  "  trap '' HUP INT TERM",
  '  exec "$@"',
  '}',
];

function indented(lines: string, by: number): string {
  return lines.replaceAll(/^/gm, ' '.repeat(by));
}
