/** A program on a droplet from its start to its end, with the user's signals. */
import { constants } from 'node:os';
import type { Clock, ProgramStreams, RunningProgram, TerminalSize } from '../../ports.js';
import { onAbort } from '../core/on-abort.js';
import type { Member } from '../droplet/member.js';
import { BEAT, FAREWELL, type PlacedProgram } from './program-commands.js';

/** Often enough that two lost ones do not end the program. */
const BEAT_MS = 15_000;
/** How long the watcher may take to start, in ms. */
const WATCH_MS = 30_000;
/** How long a killed program may take to end, in ms. */
const KILL_MS = 5_000;

/** What the user wants meanwhile. */
export interface Wishes {
  /** The reason is the name of a signal, which the program gets. */
  interrupted: AbortSignal;
  /** End it now. */
  aborted: AbortSignal;
  /** Called when the program is about to start: from then on, keys and signals are the program's. */
  begin(): void;
}

/** The user's terminal. */
export interface UserTerminal {
  type: string;
  size(): TerminalSize;
  /** Calls back when its size has changed, until the returned function is called. */
  onResize(listener: () => void): () => void;
}

/** Exit code of a program that a signal ended, as shells have it. */
export function codeOfSignal(name: string): number {
  return 128 + (constants.signals[name as NodeJS.Signals] ?? 0);
}

/**
 * Runs it until it ends; resolves to its exit code. When this process dies or loses its connection, the droplet ends the
 * program. Throws ShellError, or what the streams throw.
 */
export async function runProgram(
  clock: Clock,
  { connection }: Member,
  placed: PlacedProgram,
  streams: ProgramStreams,
  wishes: Wishes,
  terminal?: UserTerminal,
): Promise<number> {
  const over = new AbortController();
  const watcher = await connection.hold(placed.watch);
  try {
    await watcher.nextLine(WATCH_MS);
    void beat();
    wishes.begin();
    const starting: Promise<RunningProgram> = connection.start(
      placed.command,
      terminal ? atFirstOutput(streams, async () => repeatSize(await starting, terminal)) : streams,
    );
    const program = await starting;
    const send = (signal: string) => void connection.run(placed.signal(signal)).catch(() => {});
    onAbort(wishes.interrupted, () => send(signalOf(wishes.interrupted.reason)), over.signal);
    return await untilEnd(program, { clock, wishes, terminal, over: over.signal, kill: () => send('KILL') });
  } finally {
    over.abort();
    watcher.write(FAREWELL);
    await watcher.close();
  }

  async function beat(): Promise<void> {
    while (!over.signal.aborted) {
      watcher.write(BEAT);
      await clock.sleep(BEAT_MS, over.signal);
    }
  }
}

/** Calls back at the first output. @param callBack throws nothing */
function atFirstOutput(streams: ProgramStreams, callBack: () => Promise<void>): ProgramStreams {
  let isFirst = true;
  return {
    ...streams,
    stdout(chunk) {
      if (isFirst) void callBack();
      isFirst = false;
      return streams.stdout(chunk);
    },
  };
}

/**
 * Docker tells a container the size of its terminal in the first 150 ms (docker/cli, 20.10) and whenever it changes: one that
 * starts more slowly would have none.
 */
function repeatSize(program: RunningProgram, terminal: UserTerminal): void {
  const { columns, rows } = terminal.size();
  program.resize({ columns, rows: rows + 1 });
  program.resize({ columns, rows });
}

/** `INT` of `SIGINT`; of a reason that is no signal, that which asks a program to end. */
export function signalOf(reason: unknown): string {
  return /^SIG([A-Z0-9]+)$/.exec(String(reason))?.[1] ?? 'TERM';
}

/** Also of a program that nobody watches. */
export async function untilEnd(
  program: RunningProgram,
  how: { clock: Clock; wishes: Wishes; terminal?: UserTerminal | undefined; over: AbortSignal; kill: () => void },
): Promise<number> {
  const { clock, wishes, terminal, over, kill } = how;
  const stopListening = terminal?.onResize(() => program.resize(terminal.size()));
  const killed = new Promise<number>((resolve) => {
    onAbort(
      wishes.aborted,
      () => {
        kill();
        void clock.sleep(KILL_MS, over).then(() => {
          program.abandon();
          resolve(codeOfSignal('SIGINT'));
        });
      },
      over,
    );
  });
  try {
    const ended = program.ended.then(({ code, signal }) => code ?? codeOfSignal(signal ?? ''));
    return await Promise.race([ended, killed]);
  } finally {
    stopListening?.();
  }
}
