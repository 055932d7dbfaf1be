import { findConfig } from '../config/find-config.js';
import { cleanText } from '../reporters/text.js';
import type { Invocation } from './commands.js';
import type { CliContext } from './context.js';

/** A project that was found above this folder is named: another one may be meant. */
export function tellProject(invocation: Invocation, { cwd, env, stderr }: CliContext): void {
  const { command } = invocation;
  if (command === 'show' || command === 'sandbox' || command === 'tag' || invocation.config !== undefined) return;
  const root = findConfig(cwd, env)?.root;
  if (root !== undefined && root !== cwd) stderr.write(`Using the project in ${cleanText(root)}\n`);
}
