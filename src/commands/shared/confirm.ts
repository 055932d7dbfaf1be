import type { CommandContext } from '../../cli/define-command.js';
import { commandLine, usage } from '../../cli/usage-errors.js';

/**
 * Whether to ask before a change. With --yes, and in CI, which answers for itself, there is no question.
 * Throws DeployError usage where a confirmation is needed and no user can be asked.
 * @param words of the command line, to repeat with --yes
 */
export function mustAsk(
  { canAsk, isCi, args }: Pick<CommandContext, 'canAsk' | 'isCi'> & { args: { yes: boolean } },
  confirm: boolean,
  words: readonly string[],
): boolean {
  if (!confirm || args.yes || isCi) return false;
  if (canAsk) return true;
  throw usage('This needs a confirmation, and there is no terminal to ask at.', commandLine([...words, '--yes']));
}
