/** The command line in this process, as main.ts runs it, with streams of its own. */
import { PassThrough } from 'node:stream';
import { CommandLine } from '../../src/cli/command-line.js';
import type { CommandList } from '../../src/cli/define-command.js';
import { Screen } from '../../src/cli/screen.js';
import { COMMANDS } from '../../src/commands/index.js';

export interface CommandLineOptions {
  cwd: string;
  env?: Record<string, string | undefined>;
  commands?: CommandList;
  /** Standard input and output are a terminal. */
  isTerminal?: boolean;
  /** What the user types at a question. */
  answer?: string;
  /** What the user types, each once its text is on the screen. */
  keys?: readonly (readonly [after: string, keys: string])[];
}

export interface CommandLineEnd {
  exit: number;
  stdout: string;
  stderr: string;
}

export async function runCommandLine(argv: readonly string[], options: CommandLineOptions): Promise<CommandLineEnd> {
  const { cwd, env = {}, commands = COMMANDS, isTerminal = false, answer, keys = [] } = options;
  const terminal = { isTTY: isTerminal, setRawMode: () => {}, columns: 100, rows: 40 };
  const stream = () => Object.assign(new PassThrough({ encoding: 'utf8' }), terminal);
  const [stdin, stdout, stderr] = [stream(), stream(), stream()];
  const written = { stdout: '', stderr: '' };
  const toType = [...keys];
  let seen = 0;
  stdout.on('data', (text: string) => {
    written.stdout += text;
    if (text.includes('[y/N]') && answer !== undefined) stdin.write(answer);
    const [after, typed] = toType[0] ?? [];
    if (after === undefined || typed === undefined || !written.stdout.includes(after, seen)) return;
    seen = written.stdout.length;
    toType.shift();
    // A question listens once it is drawn.
    queueMicrotask(() => stdin.write(typed));
  });
  stderr.on('data', (text: string) => {
    written.stderr += text;
  });
  const screen = new Screen({ stdin, stdout, stderr });
  const exit = await new CommandLine(commands, argv, { cwd, env, screen }).run();
  return { exit, ...written };
}
