import type { ProcessEnv } from '../config/variables.js';

/** What a command gets of the process it runs in. */
export interface CliContext {
  cwd: string;
  env: ProcessEnv;
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}
