/** The remote half of the lease: a process that holds a lock for as long as it is spoken to. */
import { z } from 'zod';
import type { RemoteCommand } from '../../ports.js';
import { appFolder, command, quote } from '../core/shell.js';
export const holder = z.object({
  run: z.string(),
  app: z.string().optional(),
  /** user@host, or the CI job. */
  who: z.string(),
  url: z.string().optional(),
  release: z.string(),
  since: z.string(),
  /** It did not deploy: it broke another run's lock. */
  broke: z.literal(true).optional(),
});

export type Holder = z.infer<typeof holder>;

/** A silence of this length frees the lock. */
export const LEASE_SILENCE_SECONDS = 15;

/** What the client says in between. */
export const BEAT = 'beat';

/** What it is answered. */
export const HEARD = 'heard';

/** What it says last: the lock is free at once. */
export const FAREWELL = 'bye';

/**
 * Answers `busy JSON` and ends, or `held` after `last JSON` (whoever held it before, also one that ended well: a
 * run that takes it again must learn that somebody else had it). The lock is the kernel's: it is gone with the process,
 * whatever killed it. Exit code 69: no flock.
 * @param rotation also takes the lock that all apps on the droplet share: whoever is behind a balancer leaves it with
 *   all of them
 */
export function holdLeaseCommand(app: string, who: Holder, rotation: boolean): RemoteCommand {
  const written = quote(JSON.stringify(who));
  return command('lease', { app, holder: who }, [
    'set -u',
    'umask 077',
    'command -v flock >/dev/null || { echo "flock is not installed" >&2; exit 69; }',
    `mkdir -p ${appFolder(app)}/lease && cd ${appFolder(app)}/lease || exit 1`,
    'exec 9>>lock',
    'if ! flock -n 9; then echo "busy $(cat holder 2>/dev/null)"; exit 75; fi',
    ...(rotation
      ? [
          'exec 8>>../../rotation.lock',
          'if ! flock -n 8; then echo "busy $(cat ../../rotation.holder 2>/dev/null)"; exit 75; fi',
          `printf '%s\\n' ${written} >../../rotation.holder.new && mv -f ../../rotation.holder.new ../../rotation.holder`,
        ]
      : []),
    'echo "last $(cat holder 2>/dev/null)"',
    `printf '%s\\n' ${written} >holder.new && mv -f holder.new holder`,
    'echo $$ >pid',
    'echo held',
    // `read -t` is not in POSIX; the child must not inherit the locks.
    `while timeout ${LEASE_SILENCE_SECONDS} sh -c 'read -r line && [ "$line" != ${FAREWELL} ]' 8>&- 9>&-; do echo ${HEARD}; done`,
    'rm -f pid',
    'exit 0',
  ]);
}

/** Exit code of a command that `asHolder` has refused. */
export const NOT_HOLDER = 76;

/**
 * A line for every command that changes a droplet: refuses where the lock's file names another run. The lease was asked
 * for before, but the command may come late, or again on a new connection, when somebody else has long had the lock.
 */
export function asHolder(app: string, run: string): string {
  const named = `grep -qF ${quote(JSON.stringify(run))} ${appFolder(app)}/lease/holder 2>/dev/null`;
  return `${named} || { echo 'another run has taken the lock' >&2; exit ${NOT_HOLDER}; }`;
}

/** Prints `free`, or `held JSON`. Takes nothing. */
export function leaseStatusCommand(app: string): RemoteCommand {
  return command('lease-status', { app }, [
    `cd ${appFolder(app)}/lease 2>/dev/null || { echo free; exit 0; }`,
    'if [ -f lock ] && ! flock -n lock true; then echo "held $(cat holder 2>/dev/null)"; else echo free; fi',
  ]);
}

/**
 * Ends the process that holds the lock, and leaves `breaker` as its last holder: the broken run cannot take the lock
 * again as if nobody else had had it, so it stops before its next change. Prints `free` or `broken`.
 */
export function breakLeaseCommand(app: string, breaker: Holder): RemoteCommand {
  return command('lease-break', { app, breaker }, [
    'umask 077',
    `cd ${appFolder(app)}/lease 2>/dev/null || { echo free; exit 0; }`,
    'if flock -n lock true; then echo free; exit 0; fi',
    'pid=$(cat pid 2>/dev/null) || exit 1',
    `printf '%s\\n' ${quote(JSON.stringify(breaker))} >holder.new && mv -f holder.new holder`,
    'kill "$pid" && echo broken',
  ]);
}

/** The JSON behind `busy`, `last` or `held`; undefined when there is none. */
export function readHolder(line: string): Holder | undefined {
  try {
    return holder.parse(JSON.parse(line.slice(line.indexOf(' ') + 1)));
  } catch {
    return undefined;
  }
}
