import { adopt } from '../deploy/rollouts/adopt.js';
import type { AdoptInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { runRollout } from './run-rollout.js';
import { settingsFor } from './settings-for.js';

/** `do-deploy adopt ENVIRONMENT`. Gives the exit code. */
export async function adoptCommand(invocation: AdoptInvocation, context: CliContext): Promise<number> {
  return runRollout(await settingsFor(invocation, context, 'images'), invocation, context, adopt);
}
