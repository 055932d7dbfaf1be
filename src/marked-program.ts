/** Ends a program on this machine with all that it has started, also in sessions of their own. */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** The variable by which the processes of one program are found: what it starts inherits it. */
const MARK = 'DO_DEPLOY_PROGRAM';

/** What begins while others are killed is found in the next round. */
const KILL_ROUNDS = 3;
const MAX_PROCESSES = 50_000;

/** To be spawned `detached`, in a process group of its own, with `variables` in its environment. */
export interface MarkedProgram {
  readonly variables: Readonly<Record<string, string>>;
  /** @param pid of the program, which leads the group; undefined: it was not started */
  signal(pid: number | undefined, name: NodeJS.Signals): void;
  /** For good. */
  kill(pid: number | undefined): void;
}

export function markProgram(): MarkedProgram {
  const mark = randomUUID();
  const signal = (pid: number | undefined, name: NodeJS.Signals) => {
    if (pid === undefined) return;
    // Once to each: a second signal means "at once" to many programs.
    const others = markedWith(`${MARK}=${mark}`).filter((other) => groupOf(other) !== pid);
    send(-pid, name);
    for (const other of others) send(other, name);
  };
  return {
    variables: { [MARK]: mark },
    signal,
    kill(pid) {
      for (let round = 0; round < KILL_ROUNDS; round += 1) signal(pid, 'SIGKILL');
    },
  };
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

/**
 * Processes that have left the group, as `setsid` and daemons do, also those whose parent has ended: Linux shows the variables
 * of a user's own processes. Elsewhere it finds none.
 */
function markedWith(mark: string): number[] {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
    return pids
      .slice(0, MAX_PROCESSES)
      .map(Number)
      .filter((pid) => variablesOf(pid).includes(mark));
  } catch {
    return [];
  }
}

/** Undefined for a process that has ended. */
function groupOf(pid: number): number | undefined {
  try {
    // PID (NAME) STATE PARENT GROUP …: a name may hold anything, but no field after it holds a parenthesis.
    const [, , group] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').pop()?.split(' ') ?? [];
    return Number(group);
  } catch {
    return undefined;
  }
}

function variablesOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    // Another user's, or it has ended.
    return [];
  }
}
