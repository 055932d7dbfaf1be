import type { Engine } from '../engine.js';

/** One call of a stand-in command on a droplet. */
export interface Call {
  tool: string;
  args: string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Standard input; empty unless the command reads it. */
  stdin: string;
  /** Aborts when the client process is gone. */
  signal: AbortSignal;
}

export interface CallResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** The output of a command. */
export class Output {
  stdout = '';
  stderr = '';

  out(line: string): void {
    this.stdout += `${line}\n`;
  }

  err(line: string): void {
    this.stderr += `${line}\n`;
  }
}

export type Command = (engine: Engine, call: Call, args: readonly string[], output: Output) => void | Promise<void>;
