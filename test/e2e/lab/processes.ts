/** Programs started by the tests: run until they end, or kept running and ended by pid. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program for at most two minutes. Never throws for an exit code. */
export function run(program: string, args: string[], input = ''): Promise<Ended> {
  return new Promise((settle, reject) => {
    const child = execFile(
      program,
      args,
      { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: 400_000 },
      (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') {
          reject(new Error(`${program} ${args.join(' ')}: ${error.message}\n${stderr}`));
          return;
        }
        settle({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      },
    );
    // A program may end without reading its input.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Like `run`, but throws for an exit code other than 0. Returns standard output. */
export async function must(program: string, args: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, input);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}

/** Starts a program; its output goes to the log file. */
export function keep(program: string, args: string[], logFile: string, env: Record<string, string> = {}): ChildProcess {
  const log = openSync(logFile, 'a');
  return spawn(program, args, { stdio: ['ignore', log, log], env: { ...process.env, ...env } });
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(hard);
}

/** Polls until the answer is true; an error counts as false. Throws with `what` after `withinMs`. */
export async function until(what: string, withinMs: number, ask: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    if (await ask().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
