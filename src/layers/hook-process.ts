/** Runs a hook on this machine until it ends or its time is over. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { type MarkedProgram, markProgram } from '../marked-program.js';
import type { Clock } from '../ports.js';
import type { HandlerContext, LifecyclePayload } from '../rollout/lifecycle.js';

/** Bounds what of a hook's output is printed, in lines and characters of each. */
const MAX_LINES = 1_000;
const MAX_LINE = 2_000;

/** How long a program gets to end by itself after SIGTERM, and its output after its end, in ms. */
export const TERM_MS = 5_000;
const OUTPUT_AFTER_EXIT_MS = 1_000;

/** A signal that follows this closely is the same one: npm passes it on. */
const ECHO_MS = 1_000;

/** Hooks that are being ended right now. Those of a batch are ended together. */
let ending = 0;

/** Resolves when the program has ended well. Ends it and its children when the signal aborts: SIGTERM, later SIGKILL. */
export async function runHook(
  clock: Clock,
  file: string,
  cwd: string,
  env: Record<string, string>,
  payload: LifecyclePayload,
  { signal, log }: HandlerContext,
): Promise<void> {
  // A process group of its own, so that its children end with it, and Ctrl-C does not reach it.
  const marked = markProgram();
  const child = spawn(file, [], { cwd, env: { ...env, ...marked.variables }, detached: true, stdio: 'pipe' });
  const stop = () => endAll(clock, child, marked);
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  // Before anything else is asked of it: a program that cannot be started may have no streams.
  const ended = endOf(clock, child);
  let lines = 0;
  const print = (line: string) => {
    lines += 1;
    if (lines <= MAX_LINES) log(line.slice(0, MAX_LINE));
    else if (lines === MAX_LINES + 1) log(`only the first ${MAX_LINES} lines are shown`);
  };
  for (const stream of [child.stdout, child.stderr]) if (stream) readLines(stream, print);
  // It need not read its input.
  child.stdin?.on('error', () => {});
  child.stdin?.end(`${JSON.stringify(payload)}\n`);
  try {
    await ended;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Calls `print` for each line, as long as it comes: of a long one only the beginning, and the rest is not kept. */
function readLines(stream: Readable, print: (line: string) => void): void {
  let line = '';
  const end = () => {
    print(line);
    line = '';
  };
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const [rest = '', ...lines] = chunk.split('\n');
    line = (line + rest).slice(0, MAX_LINE + 1);
    for (const next of lines) {
      end();
      line = next.slice(0, MAX_LINE + 1);
    }
  });
  stream.on('close', () => {
    if (line !== '') end();
  });
}

/** Rejects unless the exit code is 0. */
async function endOf(clock: Clock, child: ChildProcess): Promise<void> {
  const closed = new AbortController();
  child.on('close', () => closed.abort());
  await new Promise<void>((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`it cannot be started: ${error.message}`)));
    child.on('exit', async (code, killedBy) => {
      // What it has left running, such as a daemon, may keep its output open for ever.
      await clock.sleep(OUTPUT_AFTER_EXIT_MS, closed.signal);
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      if (code === 0) resolve();
      else reject(new Error(code === null ? `it was ended by ${killedBy}` : `exit code ${code}`));
    });
  });
}

/** A program that ignores SIGTERM does not outlive this process either, nor what it started elsewhere. */
function endAll(clock: Clock, child: ChildProcess, marked: MarkedProgram): void {
  // One that has ended by itself, or was never started, has nothing to end.
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const kill = () => marked.kill(child.pid);
  const ended = new AbortController();
  const since = clock.now();
  // A signal that nothing else waits for ends this process, and no exit event comes.
  const last = (name: NodeJS.Signals) => {
    if (process.listenerCount(name) > ending) {
      if (clock.now() - since >= ECHO_MS) kill();
      return;
    }
    kill();
    // The last one of them ends this process.
    process.off(name, last);
    if (process.listenerCount(name) === 0) process.kill(process.pid, name);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  marked.signal(child.pid, 'SIGTERM');
  ending += 1;
  process.once('exit', kill);
  // Prepended: the run's own listener removes itself at the signal that it acts on, and has to be counted first.
  for (const name of signals) process.prependListener(name, last);
  child.once('exit', () => {
    ended.abort();
    ending -= 1;
    process.off('exit', kill);
    for (const name of signals) process.off(name, last);
    // Its children may have stayed.
    kill();
  });
  void clock.sleep(TERM_MS, ended.signal).then(() => !ended.signal.aborted && kill());
}
