import { createInterface } from 'node:readline/promises';
import type { CliContext } from './context.js';
import { isCi } from './output-mode.js';

/** Whether to ask: only somebody who sits there can answer. */
export function mustConfirm(
  settings: { confirm: boolean },
  options: { yes: boolean; json: boolean },
  { stdin, stdout, env }: Pick<CliContext, 'stdin' | 'stdout' | 'env'>,
): boolean {
  const canAnswer = stdin.isTTY && stdout.isTTY && !isCi(env);
  return settings.confirm && canAnswer && !options.yes && !options.json;
}

/** Asks; only a plain yes is a yes. Ctrl-C and Ctrl-D are a no. */
export async function confirm(
  question: string,
  { stdin, stdout }: Pick<CliContext, 'stdin' | 'stdout'>,
): Promise<boolean> {
  const terminal = createInterface({ input: stdin, output: stdout });
  const closed = new Promise<string>((resolve) => {
    terminal.once('SIGINT', () => terminal.close());
    terminal.once('close', () => resolve(''));
  });
  const answer = await Promise.race([terminal.question(`${question} [y/N] `), closed]);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
