/** The droplet's half of the lease: a process that holds a lock while it hears heartbeats, and who holds it. */
import { z } from 'zod';
import type { RemoteCommand } from '../../ports.js';
import { appFolder, command, quote } from '../core/shell.js';
import { FIND_LOCK_FOLDER, OPEN_LOCK_FOLDER, SHARED_UMASK } from './lock-folder.js';

export const holder = z.object({
  run: z.string(),
  app: z.string().optional(),
  /** user@host, or the CI job. */
  who: z.string(),
  url: z.string().optional(),
  release: z.string(),
  since: z.string(),
  /** This run did not deploy: it broke another run's lock. */
  broke: z.literal(true).optional(),
});

export type Holder = z.infer<typeof holder>;

/** Without a heartbeat for this long, the lock is freed. */
export const LEASE_SILENCE_SECONDS = 15;

/** Heartbeat, sent by the deployer. */
export const BEAT = 'beat';

/** Answer to a heartbeat. */
export const HEARD = 'heard';

/** Frees the lock immediately. */
export const FAREWELL = 'bye';

/** Exit code: flock is not installed. */
export const NO_FLOCK = 69;

/** Exit code: another run holds the lock. */
export const LOCK_BUSY = 75;

/** Exit code: a record names another run, so the lock was lost. */
export const NOT_HOLDER = 76;

/** Attempts to take a lock, 100 ms apart, before it counts as held. */
const ATTEMPTS = 20;

/** A lock file and the record of its holder, as words for the shell. */
interface Lock {
  file: string;
  record: string;
}

interface Locks {
  app: Lock;
  /** All apps on the droplet share it: a droplet leaves the balancer with everything it serves. */
  rotation: Lock;
  /** Where earlier versions keep theirs: below the home of the SSH user. */
  oldApp: Lock;
  oldRotation: Lock;
}

function locksOf(app: string): Locks {
  const shared = (name: string) => ({ file: `"$locks"/${name}.lock`, record: `"$locks"/${name}.holder` });
  return {
    app: shared(`app-${quote(app)}`),
    rotation: shared('rotation'),
    oldApp: { file: `${appFolder(app)}/lease/lock`, record: `${appFolder(app)}/lease/holder` },
    oldRotation: { file: '"$HOME"/do-deploy/rotation.lock', record: '"$HOME"/do-deploy/rotation.holder' },
  };
}

/** `run` stands first, so the beginning of a record tells whose it is: see MINE. */
function recordOf({ run, ...rest }: Holder): string {
  return JSON.stringify({ run, ...rest });
}

/** `mine FILE`: whether the record exists, can be read, and names exactly this run. */
function mine(run: string): string {
  const start = quote(`${JSON.stringify({ run }).slice(0, -1)},`);
  return `mine() { IFS= read -r line <"$1" && case $line in ${start}*) ;; *) return 1 ;; esac; }`;
}

/**
 * `live FILE`: prints the record if its author is alive. The author keeps its record locked, and wrote it after taking
 * the lock; a record that is not locked is left over from an earlier run.
 */
const LIVE =
  'live() { if [ -f "$1" ] && ! flock -n -s "$1" true 2>/dev/null; then head -n 1 "$1" 2>/dev/null || :; fi; }';

/** `same FD FILE`: whether the locked file still has its name; another process may have removed it. */
const SAME = 'same() { [ ! -e "/proc/self/fd/$1" ] || [ "/proc/self/fd/$1" -ef "$2" ]; }';

/**
 * Takes the lock on file descriptor `fd`, or prints `busy RECORD` and exits. While another run holds the lock and has
 * not written its record yet, the script waits; after that it prints `busy` without a record.
 */
function take(fd: number, { file, record }: Lock, options: { old: boolean }): string[] {
  return [
    'attempt=0',
    `until exec ${fd}>>${file} && flock -n ${fd} && same ${fd} ${file}; do`,
    '  attempt=$((attempt + 1))',
    // Old versions do not lock their records: such a record may be left over from a run that has ended just now.
    options.old
      ? `  other=; [ $attempt -lt ${ATTEMPTS} ] || other=$(head -n 1 ${record} 2>/dev/null || :)`
      : `  other=$(live ${record})`,
    `  if [ -n "$other" ] || [ $attempt -ge ${ATTEMPTS} ]; then printf 'busy %s\\n' "$other"; exit ${LOCK_BUSY}; fi`,
    '  sleep 0.1',
    'done',
  ];
}

/** Writes the record: holder, process id, and `rotation` if that lock is held too. Keeps it locked on `fd`. */
function write(fd: number, { record }: Lock, text: string, rotation: boolean): string[] {
  return [
    `printf '%s\\n%s\\n%s\\n' ${quote(text)} $$ '${rotation ? 'rotation' : ''}' >${record}.new`,
    `exec ${fd}>>${record}.new`,
    `flock -n ${fd}`,
    `mv -f ${record}.new ${record}`,
    ...verify(record, text),
  ];
}

/** The record for old versions; left as it is when it is right, so that a full disk does not end a run. */
function writeOld({ record }: Lock, text: string): string[] {
  return [
    `if [ "$(head -n 1 ${record} 2>/dev/null || :)" != ${quote(text)} ]; then`,
    `  printf '%s\\n' ${quote(text)} >${record}.new`,
    `  mv -f ${record}.new ${record}`,
    'fi',
    ...verify(record, text),
  ];
}

function verify(record: string, text: string): string[] {
  return [`[ "$(head -n 1 ${record})" = ${quote(text)} ] || { echo "cannot write "${record} >&2; exit 1; }`];
}

/**
 * Takes the lock and prints `held`, then answers heartbeats with `heard` until they stop. Otherwise it prints one of
 * these lines and exits: `busy RECORD` (another run holds the lock; no RECORD: that run has just started), `lost RECORD`
 * (only with `again`), `foreign PATH` or `closed PATH` (see lock-folder.ts). Nothing is written before the lock is
 * taken. The kernel frees the lock when the process ends, whatever the cause.
 * @param options.rotation also takes the lock that all apps on the droplet share
 * @param options.again the run held the lock before: it is taken only if every record still names the run
 */
export function holdLeaseCommand(
  app: string,
  who: Holder,
  { rotation, again = false }: { rotation: boolean; again?: boolean },
): RemoteCommand {
  const locks = locksOf(app);
  const text = recordOf(who);
  const records = [locks.app, locks.oldApp, ...(rotation ? [locks.rotation, locks.oldRotation] : [])];
  return command('lease', { app, holder: who, rotation, again }, [
    'set -eu',
    'umask 077',
    `command -v flock >/dev/null || { echo 'flock is not installed' >&2; exit ${NO_FLOCK}; }`,
    `mkdir -p ${appFolder(app)}/lease`,
    ...OPEN_LOCK_FOLDER,
    LIVE,
    SAME,
    SHARED_UMASK,
    ...take(9, locks.app, { old: false }),
    ...(rotation ? take(8, locks.rotation, { old: false }) : []),
    'umask 077',
    ...take(7, locks.oldApp, { old: true }),
    ...(rotation ? take(6, locks.oldRotation, { old: true }) : []),
    ...(again ? [mine(who.run), ...records.map(({ record }) => refuseLost(record))] : []),
    SHARED_UMASK,
    // Or a cleaner of old files might remove it while it is held.
    `touch ${locks.app.file}`,
    ...write(5, locks.app, text, rotation),
    ...(rotation ? [`touch ${locks.rotation.file}`, ...write(4, locks.rotation, text, rotation)] : []),
    'umask 077',
    ...writeOld(locks.oldApp, text),
    ...(rotation ? writeOld(locks.oldRotation, text) : []),
    `echo $$ >${appFolder(app)}/lease/pid`,
    'echo held',
    // `read -t` is not in POSIX. The child must not inherit the locks.
    `while timeout ${LEASE_SILENCE_SECONDS} sh -c 'read -r line && [ "$line" != ${FAREWELL} ]' 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; do echo ${HEARD}; done`,
    `rm -f ${appFolder(app)}/lease/pid`,
  ]);
}

function refuseLost(record: string): string {
  return `{ mine ${record}; } 2>/dev/null || { printf 'lost %s\\n' "$(head -n 1 ${record} 2>/dev/null || :)"; exit ${NOT_HOLDER}; }`;
}

/**
 * A line for every command that changes a droplet: exits with NOT_HOLDER unless the records name this run. The run has
 * asked for its lease before, but the command may arrive late, when another run has long taken the lock.
 */
export function asHolder(app: string, run: string): string {
  const { app: own, rotation, oldApp, oldRotation } = locksOf(app);
  return [
    FIND_LOCK_FOLDER,
    mine(run),
    'named() {',
    `  mine ${own.record} && mine ${oldApp.record} || return 1`,
    `  [ "$(sed -n 3p ${own.record})" != rotation ] || { mine ${rotation.record} && mine ${oldRotation.record}; }`,
    '}',
    `{ named; } 2>/dev/null || { echo 'another run has taken the lock' >&2; exit ${NOT_HOLDER}; }`,
  ].join('\n');
}

/** `held FILE`: whether a process holds the lock. A lock file that cannot be opened ends the script. */
const HELD = [
  'held() {',
  '  [ -e "$1" ] || return 1',
  '  code=0; flock -n -s "$1" true || code=$?',
  '  case $code in 0) return 1 ;; 1) return 0 ;; *) exit "$code" ;; esac',
  '}',
];

/** Prints `free` or `held RECORD`; no RECORD: the run has just started. Takes nothing. */
export function leaseStatusCommand(app: string): RemoteCommand {
  const { app: own, oldApp } = locksOf(app);
  const lines = [
    'set -eu',
    FIND_LOCK_FOLDER,
    LIVE,
    ...HELD,
    `if held ${own.file}; then printf 'held %s\\n' "$(live ${own.record})"`,
    `elif held ${oldApp.file}; then printf 'held %s\\n' "$(head -n 1 ${oldApp.record} 2>/dev/null || :)"`,
    'else echo free; fi',
  ];
  return command('lease-status', { app }, lines, { reads: true });
}

/**
 * Ends the process that holds the lock and leaves `breaker` as its last holder, so that the broken run cannot take the
 * lock again. Prints `free` or `broken`.
 */
export function breakLeaseCommand(app: string, breaker: Holder): RemoteCommand {
  const { app: own, oldApp } = locksOf(app);
  const text = quote(recordOf(breaker));
  return command('lease-break', { app, breaker }, [
    'set -eu',
    FIND_LOCK_FOLDER,
    LIVE,
    ...HELD,
    `if held ${own.file}; then`,
    `  [ -n "$(live ${own.record})" ] || { echo 'the run that holds the lock has just started' >&2; exit 1; }`,
    `  record=${own.record}`,
    '  pid=$(sed -n 2p "$record")',
    `  ${SHARED_UMASK}`,
    `elif held ${oldApp.file}; then`,
    `  record=${oldApp.record}`,
    `  pid=$(cat ${appFolder(app)}/lease/pid)`,
    '  umask 077',
    'else',
    '  echo free; exit 0',
    'fi',
    'signal() { kill "$@" 2>/dev/null || sudo -n kill "$@"; }',
    'signal -0 "$pid"',
    `printf '%s\\n' ${text} >"$record.broken"`,
    'mv -f "$record.broken" "$record"',
    'signal "$pid"',
    'echo broken',
  ]);
}

/** The record after the first word of a line; undefined when it is missing or cannot be read. */
export function readHolder(line: string): Holder | undefined {
  try {
    return holder.parse(JSON.parse(line.slice(line.indexOf(' ') + 1)));
  } catch {
    return undefined;
  }
}
