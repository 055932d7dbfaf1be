/** do-deploy as a process, with the environment of a CI job. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { DeployEvent, DeployResult } from '../../../src/rollout/model.js';
import { MAIN } from './region.js';

export interface CommandEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  events: DeployEvent[];
  result?: DeployResult;
}

export interface RunningCommand {
  child: ChildProcess;
  events: DeployEvent[];
  /** Calls `listener` for each event. */
  onEvent(listener: (event: DeployEvent) => void): void;
  /** The first matching event, also an earlier one; rejects if the command ends without it. */
  event(fits: (event: DeployEvent) => boolean): Promise<DeployEvent>;
  ended: Promise<CommandEnd>;
}

/** With --json, its events are read as they arrive. */
export function startCommand(
  args: string[],
  options: { cwd: string; home: string; env?: Record<string, string> },
): RunningCommand {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH ?? '', HOME: options.home, CI: 'true', NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const events: DeployEvent[] = [];
  const listeners = new Set<(event: DeployEvent) => void>();
  const output = { stdout: '', stderr: '' };
  let unread = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output.stdout += chunk;
    if (!args.includes('--json')) return;
    const lines = (unread + chunk).split('\n');
    unread = lines.pop() ?? '';
    for (const line of lines.filter(Boolean)) {
      const event = JSON.parse(line) as DeployEvent;
      events.push(event);
      for (const listener of listeners) listener(event);
    }
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    output.stderr += chunk;
  });
  const ended = new Promise<CommandEnd>((settle) => {
    child.on('close', (code, signal) => {
      const finished = events.find((event) => event.type === 'rollout-finished');
      settle({ code, signal, ...output, events, ...(finished && { result: finished.result }) });
    });
  });
  const event = (fits: (event: DeployEvent) => boolean) =>
    new Promise<DeployEvent>((resolve, reject) => {
      const listener = (one: DeployEvent) => {
        if (!fits(one)) return;
        listeners.delete(listener);
        resolve(one);
      };
      listeners.add(listener);
      events.forEach(listener);
      void ended.then(() =>
        reject(new Error(`the command ended without the event:\n${output.stdout}\n${output.stderr}`)),
      );
    });
  return { child, events, onEvent: (listener) => listeners.add(listener), event, ended };
}

/** Matches the event that begins or ends a step of a droplet. */
export function step(type: 'step-started' | 'step-finished', droplet: string, name: string) {
  return (event: DeployEvent) => event.type === type && event.droplet === droplet && event.step === name;
}
