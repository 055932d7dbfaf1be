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
}

export interface CommandLineEnd {
  exit: number;
  stdout: string;
  stderr: string;
}

export async function runCommandLine(argv: readonly string[], options: CommandLineOptions): Promise<CommandLineEnd> {
  const { cwd, env = {}, commands = COMMANDS, isTerminal = false, answer } = options;
  const stream = () => Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: isTerminal });
  const [stdin, stdout, stderr] = [stream(), stream(), stream()];
  const written = { stdout: '', stderr: '' };
  stdout.on('data', (text: string) => {
    written.stdout += text;
    if (text.includes('[y/N]') && answer !== undefined) stdin.write(answer);
  });
  stderr.on('data', (text: string) => {
    written.stderr += text;
  });
  const screen = new Screen({ stdin, stdout, stderr });
  const exit = await new CommandLine(commands, argv, { cwd, env, screen }).run();
  return { exit, ...written };
}
