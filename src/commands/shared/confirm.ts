import type { CommandContext, CommandEnd } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import { commandLine, usage } from '../../cli/usage-errors.js';
import type { LoadedSettings } from '../../config/load.js';

/**
 * Whether to ask before a change. With --yes, and in CI, which answers for itself, there is no question.
 * Throws DeployError usage where a confirmation is needed and no user can be asked.
 */
export function mustAsk(
  { canAsk, isCi, argv, args }: Pick<CommandContext, 'canAsk' | 'isCi' | 'argv'> & { args: { yes: boolean } },
  confirm: boolean,
): boolean {
  if (!confirm || args.yes || isCi) return false;
  if (canAsk) return true;
  throw usage('This needs a confirmation, and there is no terminal to ask at.', commandLine([...argv, '--yes']));
}

type Asking = Pick<CommandContext, 'canAsk' | 'isCi' | 'argv' | 'ask' | 'askFor'> & {
  args: { environment: string; yes: boolean; confirmEnvironment?: string };
};

/** The end of a command whose question was not answered with yes. */
export function nothing(done = 'changed'): CommandEnd {
  return { exit: EXIT.interrupted, output: { type: 'text', lines: [`Nothing was ${done}.`] } };
}

/**
 * Changes an environment, once that is confirmed where it has to be. Throws DeployError usage as `confirmation` does.
 * @param question asked only then; a function may show first what it is about, and returns undefined where nothing is to do
 */
export async function ifConfirmed(
  context: Asking,
  settings: Pick<LoadedSettings, 'confirm' | 'isProtected'>,
  question: string | (() => Promise<string | undefined>),
  change: () => Promise<CommandEnd>,
): Promise<CommandEnd> {
  const confirm = confirmation(context, settings);
  if (confirm !== undefined) {
    const asked = typeof question === 'string' ? question : await question();
    if (asked !== undefined && !(await confirm(asked))) return nothing();
  }
  return await change();
}

/**
 * How to ask before a change of an environment; undefined: nothing has to be asked. A protected one is confirmed by its name,
 * at the prompt or with --confirm-environment. Throws DeployError usage where the confirmation is missing, or names another.
 */
export function confirmation(
  context: Asking,
  { confirm, isProtected }: Pick<LoadedSettings, 'confirm' | 'isProtected'>,
): ((question: string) => Promise<boolean>) | undefined {
  const { environment, confirmEnvironment: named } = context.args;
  const others = context.argv.filter(
    (word, index, all) => !/^--confirm-environment(=|$)/.test(word) && all[index - 1] !== '--confirm-environment',
  );
  const again = commandLine([...others, '--confirm-environment', environment]);
  if (named !== undefined && named !== environment) {
    const given = named === '' ? 'is empty' : `names ${named}`;
    throw usage(`--confirm-environment ${given}, and the environment is ${environment}.`, again);
  }
  if (!isProtected) return mustAsk(context, confirm) ? context.ask : undefined;
  if (named !== undefined) return undefined;
  if (context.canAsk)
    return async (question) => {
      const typed = await context.askFor(`${question} Type ${environment}:`);
      if (typed === environment || typed === '') return typed === environment;
      throw usage(`What was typed is not ${environment}.`, again);
    };
  throw usage(`${environment} is protected: its name has to be confirmed, and there is no terminal to ask at.`, again);
}
