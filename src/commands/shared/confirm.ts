import type { CommandContext } from '../../cli/define-command.js';
import { commandLine, usage } from '../../cli/usage-errors.js';
import type { LoadedSettings } from '../../config/load.js';

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

type Asking = Pick<CommandContext, 'canAsk' | 'isCi' | 'ask' | 'askFor'> & {
  args: { environment: string; yes: boolean; confirmEnvironment?: string };
};

/**
 * How to ask before a change of an environment; undefined: nothing has to be asked. A protected one is confirmed by its name,
 * at the prompt or with --confirm-environment. Throws DeployError usage where the confirmation is missing, or names another.
 * @param words of the command line, to repeat with what is missing
 */
export function confirmation(
  context: Asking,
  { confirm, isProtected }: Pick<LoadedSettings, 'confirm' | 'isProtected'>,
  words: readonly string[],
): ((question: string) => Promise<boolean>) | undefined {
  const { environment, confirmEnvironment: named } = context.args;
  const again = commandLine([...words, '--confirm-environment', environment]);
  if (named !== undefined && named !== environment) {
    throw usage(`--confirm-environment names ${named}, and the environment is ${environment}.`, again);
  }
  if (!isProtected) return mustAsk(context, confirm, words) ? context.ask : undefined;
  if (named !== undefined) return undefined;
  if (context.canAsk)
    return async (question) => (await context.askFor(`${question} Type ${environment}:`)) === environment;
  throw usage(`${environment} is protected: its name has to be confirmed, and there is no terminal to ask at.`, again);
}
