/** The real command as a process, without a fleet around it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { TestContext } from 'vitest';

const MAIN = resolve('dist/main.js');

export class Command {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
  stdout = '';
  stderr = '';

  /** Nothing of this environment but PATH; killed with its test, should it still run. */
  constructor({ onTestFinished }: TestContext, args: string[], options: { cwd: string; env?: Record<string, string> }) {
    this.child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd,
      env: { PATH: process.env.PATH ?? '', HOME: options.cwd, CI: 'true', NO_COLOR: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void this.child.kill('SIGKILL'));
    this.child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stdout += chunk;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
    this.ended = new Promise((settle) => {
      this.child.on('close', (code, signal) => settle({ code, signal, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Resolves when it has said this; rejects when it ends before. */
  async until(text: string): Promise<void> {
    const said = new Promise<void>((settle) => {
      const look = () => {
        if (this.stdout.includes(text)) settle();
      };
      this.child.stdout?.on('data', look);
      look();
    });
    await Promise.race([
      said,
      this.ended.then(({ stdout, stderr }) => {
        if (!stdout.includes(text)) throw new Error(`it ended without "${text}":\n${stdout}\n${stderr}`);
      }),
    ]);
  }
}
