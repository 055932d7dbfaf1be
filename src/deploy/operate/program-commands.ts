/** Remote commands for programs that people run on a droplet: in a container of their own, or in one that runs. */
import type { ProgramCommand, RemoteCommand } from '../../ports.js';
import { appFolder, command, quote } from '../core/shell.js';
import { ONE_OFF_LABEL, RELEASE_LABEL, RUN_LABEL } from '../release/once-functions.js';
import { composeRun, type OneOff } from '../release/one-off.js';
import type { StoredRelease } from '../release/stored-release.js';

/** Without a heartbeat for so long, nobody waits for the program any more. */
export const SILENCE_SECONDS = 60;
export const BEAT = 'beat';
export const FAREWELL = 'bye';
export const WATCHING = 'watching';

/** A program on a droplet, and how to reach it from outside of its own streams. */
export interface PlacedProgram {
  command: ProgramCommand;
  /** Sends it a signal (`INT`); waits for a program that is just being started. */
  signal(name: string): RemoteCommand;
  /** Runs beside it, hears heartbeats, and ends the program when they stop. */
  watch: RemoteCommand;
}

type Terminal = ProgramCommand['terminal'];

export interface OneOffProgram extends OneOff {
  /** Of the container; not taken. */
  name: string;
  /** Who runs it, for people who find the container. */
  who: string;
  /** Run the words themselves, not as arguments of the image's entrypoint. */
  skipEntrypoint: boolean;
  terminal: Terminal;
}

/** `docker compose run --rm`, with the images and files of the release. Its dependencies are not started. */
export function oneOffProgram(release: StoredRelease, program: OneOffProgram): PlacedProgram {
  const { app, id } = release;
  const { name, who, service, words, skipEntrypoint, terminal } = program;
  const labels = { [ONE_OFF_LABEL]: '', [RELEASE_LABEL]: id, [RUN_LABEL]: `run by ${who}` };
  const [first = '', ...others] = words;
  // Compose splits the value like a shell.
  const entrypoint = skipEntrypoint ? ` --entrypoint ${quote(asShellWord(first))}` : '';
  const one = { service, words: skipEntrypoint ? others : words };
  const flags = `--rm --name ${quote(name)}${entrypoint}`;
  const script = [
    'set -u',
    `cd ${appFolder(app)} || exit 1`,
    composeRun(release, one, { flags, labels, terminal: terminal !== undefined }),
  ];
  const args = { app, release: id, service, words, name };
  const container = quote(name);
  return {
    command: { name: 'run', args, script: script.join('\n'), ...(terminal && { terminal }) },
    // It may not have been created yet.
    signal: (signal) =>
      command(
        'signal-run',
        { app, name, signal },
        [
          'for _ in 1 2 3 4 5 6 7 8 9 10; do',
          `  if docker kill --signal ${quote(signal)} ${container} >/dev/null 2>&1; then exit 0; fi`,
          '  sleep 0.5',
          'done',
        ],
        { repeatable: false },
      ),
    watch: watchCommand(
      { app, name },
      [
        'for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do',
        `  if docker inspect ${container}; then docker stop ${container}; docker rm -f -v ${container}; break; fi`,
        '  sleep 1',
        'done',
      ],
      // Who has detached from it by the keys for that leaves it behind.
      [`docker rm -f -v ${container}`],
    ),
  };
}

/** Everything quoted: one word, whatever it holds. */
function asShellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Marks the processes of `exec`, which Docker gives no name, in their environment. */
const MARK = 'DO_DEPLOY_EXEC';

export interface ExecProgram {
  app: string;
  container: string;
  words: readonly string[];
  /** Nobody else's. */
  mark: string;
  terminal: Terminal;
}

/** `docker exec` in a running container. */
export function execProgram({ app, container, words, mark, terminal }: ExecProgram): PlacedProgram {
  const flags = ['-i', ...(terminal === undefined ? [] : ['-t']), '--env', `${MARK}=${mark}`];
  const script = `exec ${['docker', 'exec', ...flags, container, ...words].map(quote).join(' ')}`;
  const signal = (name: string) => signalMarked(container, mark, name);
  return {
    command: { name: 'exec', args: { app, container, words, mark }, script, ...(terminal && { terminal }) },
    signal: (name) =>
      command('signal-exec', { container, mark, signal: name }, ['set -u', ...signal(name)], { repeatable: false }),
    watch: watchCommand({ app, name: mark }, [...signal('TERM'), 'sleep 10', ...signal('KILL')], []),
  };
}

/**
 * Docker sends no signals to what it executes. As root, the droplet sees the processes with their environment; otherwise
 * the container itself has to look, which needs its `sh` and `grep`.
 */
function signalMarked(container: string, mark: string, signal: string): string[] {
  const find = [
    'for file in /proc/[0-9]*/environ; do',
    `  if grep -qa ${quote(`${MARK}=${mark}`)} "$file" 2>/dev/null; then`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of the shell
    '    pid=${file#/proc/}',
    `    kill -${signal} "\${pid%/environ}" 2>/dev/null && found=yes`,
    '  fi',
    'done',
    '[ -n "$found" ]',
  ];
  const loop = quote(['found=', ...find].join('\n'));
  return [
    `find=${loop}`,
    `sh -c "$find" || sudo -n sh -c "$find" 2>/dev/null || docker exec ${quote(container)} sh -c "$find" 2>/dev/null || :`,
  ];
}

/**
 * @param gone lines that end the program: nobody waits for it any more
 * @param ended lines that clean up behind it
 */
function watchCommand(
  args: { app: string; name: string },
  gone: readonly string[],
  ended: readonly string[],
): RemoteCommand {
  return command(
    'watch-program',
    args,
    [
      'set -u',
      // The connection may end with everything that it started.
      "trap '' HUP PIPE",
      `echo ${WATCHING}`,
      'exec >/dev/null 2>&1',
      'word=',
      // `read -t` is not in POSIX.
      `while word=$(timeout ${SILENCE_SECONDS} sh -c 'read -r word && echo "$word"') && [ "$word" = ${BEAT} ]; do :; done`,
      `if [ "$word" = ${FAREWELL} ]; then`,
      ...(ended.length === 0 ? ['  :'] : ended),
      'else',
      ...gone,
      'fi',
    ],
    { repeatable: false },
  );
}
