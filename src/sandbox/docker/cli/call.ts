import type { Engine } from '../engine.js';

/** One call of a stand-in command on a droplet. */
export interface Call {
  tool: string;
  args: string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Standard input; empty unless the command reads it. */
  stdin: string;
  /** The client's process. */
  pid: number;
  /** Aborts when the client process is gone. */
  signal: AbortSignal;
}

export interface CallResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Instead of ending, the client becomes this program, with its own streams and terminal. */
  become?: Become;
  /** What follows stdout, as it comes. */
  stream?: AsyncIterable<string>;
}

export interface Become {
  words: readonly string[];
  env: Readonly<Record<string, string>>;
}

/** The output of a command. */
export class Output {
  stdout = '';
  stderr = '';
  become: Become | undefined;
  stream: AsyncIterable<string> | undefined;

  out(line: string): void {
    this.stdout += `${line}\n`;
  }

  err(line: string): void {
    this.stderr += `${line}\n`;
  }
}

export type Command = (engine: Engine, call: Call, args: readonly string[], output: Output) => void | Promise<void>;
