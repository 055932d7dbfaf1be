/** Runs command lines of the configuration on this machine: bounded in time and output, without standard input. */
import { spawn } from 'node:child_process';
import type { CommandEnd, RunCommand } from '../config/secret-sources.js';
import type { ProcessEnv } from '../config/variables.js';
import { inWords } from '../durations.js';
import { markProgram } from '../marked-program.js';
import type { LocalCommands } from '../ports.js';
import { oneLine } from './printable.js';

/** Of standard error, which is only for people. */
const MAX_STDERR_BYTES = 16 * 1024;

/** How long the output of a command that has ended may take to end, in ms: what it has started may keep it open. */
const OUTPUT_AFTER_EXIT_MS = 1_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Each line once: a second call gets the end of the first. */
export function runEachOnce(run: RunCommand = runCommandLine): RunCommand {
  const ends = new Map<string, Promise<CommandEnd>>();
  return (line, options) => {
    const key = JSON.stringify([options.cwd, line]);
    const end = ends.get(key) ?? run(line, options);
    ends.set(key, end);
    return end;
  };
}

/** What the command has started ends with it, when it is killed. */
export const runCommandLine: RunCommand = (line, { cwd, env, timeoutMs, maxBytes, signal: ended, endsChildren }) =>
  new Promise((resolve) => {
    const marked = markProgram();
    const child = spawn('/bin/sh', ['-c', line], {
      cwd,
      env: { ...env, ...marked.variables },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let outBytes = 0;
    let errBytes = 0;
    const timeout = AbortSignal.timeout(timeoutMs);
    const output = () => ({
      stdout: Buffer.concat(stdout).subarray(0, maxBytes),
      stderr: Buffer.concat(stderr).toString('utf8'),
    });
    const settle = (end: CommandEnd) => {
      timeout.removeEventListener('abort', onTimeout);
      ended?.removeEventListener('abort', onTimeout);
      for (const signal of SIGNALS) process.off(signal, onSignal);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve(end);
    };
    const stop = (kind: 'timeout' | 'too-large') => {
      marked.kill(child.pid);
      settle({ kind, ...output() });
    };
    const onTimeout = () => stop('timeout');
    // Ctrl-C reaches only the group of do-deploy.
    const onSignal = (signal: NodeJS.Signals) => {
      marked.kill(child.pid);
      for (const one of SIGNALS) process.off(one, onSignal);
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };

    timeout.addEventListener('abort', onTimeout);
    ended?.addEventListener('abort', onTimeout);
    if (ended?.aborted) onTimeout();
    for (const signal of SIGNALS) process.on(signal, onSignal);
    child.stdout.on('data', (chunk: Buffer) => {
      stdout.push(chunk);
      outBytes += chunk.length;
      if (outBytes > maxBytes) stop('too-large');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (errBytes < MAX_STDERR_BYTES) stderr.push(chunk.subarray(0, MAX_STDERR_BYTES - errBytes));
      errBytes += chunk.length;
    });
    child.on('error', (error) => settle({ kind: 'not-started', reason: error.message }));
    child.on('exit', (code, signal) => {
      if (endsChildren) marked.kill(child.pid);
      const ended = () => settle({ kind: 'ended', code, signal, ...output() });
      const patience = AbortSignal.timeout(OUTPUT_AFTER_EXIT_MS);
      patience.addEventListener('abort', ended);
      child.on('close', () => {
        patience.removeEventListener('abort', ended);
        ended();
      });
    });
  });

/** More of a gate's output than anybody reads. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** Of a shell: the command may not be executed, or there is none. */
const UNUSABLE: ReadonlySet<number> = new Set([126, 127]);

/** @param env what the commands get of this environment: no secrets */
export function localCommands(cwd: string, env: ProcessEnv, run: RunCommand = runCommandLine): LocalCommands {
  return {
    async run(line, { variables, timeoutMs, signal }) {
      // A gate is asked many times: what each answer left behind would pile up.
      const bounds = { timeoutMs, maxBytes: MAX_OUTPUT_BYTES, signal, endsChildren: true };
      const options = { cwd, env: { ...env, ...variables }, ...bounds };
      const end = await run(line, options);
      if (end.kind === 'not-started') {
        return { ok: false, isUnusable: true, detail: `it cannot be started: ${oneLine(end.reason)}` };
      }
      const said = lastLine(end.stdout.toString('utf8')) || lastLine(end.stderr);
      return {
        ok: end.kind === 'ended' && end.code === 0,
        ...(end.kind === 'ended' && UNUSABLE.has(end.code ?? 0) && { isUnusable: true }),
        detail: [howItEnded(end, timeoutMs), said].filter(Boolean).join(': '),
      };
    },
  };
}

function howItEnded(end: Exclude<CommandEnd, { kind: 'not-started' }>, timeoutMs: number): string {
  if (end.kind === 'timeout') return `it did not end within ${inWords(timeoutMs)}`;
  if (end.kind === 'too-large') return 'it printed more than 1 MiB';
  return end.signal === null ? `exit code ${end.code}` : `ended by ${end.signal}`;
}

function lastLine(output: string): string {
  const lines = output.split(/[\r\n]+/).map((line) => oneLine(line));
  return lines.findLast((line) => line !== '') ?? '';
}
