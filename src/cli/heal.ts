import { heal } from '../deploy/rollouts/heal.js';
import type { HealInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { runRollout } from './run-rollout.js';
import { settingsFor } from './settings-for.js';

/** `do-deploy heal ENVIRONMENT`. Gives the exit code. */
export async function healCommand(invocation: HealInvocation, context: CliContext): Promise<number> {
  return runRollout(await settingsFor(invocation, context, 'fleet'), invocation, context, heal);
}
