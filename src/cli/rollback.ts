import { rollback } from '../deploy/rollback.js';
import type { RollbackInvocation } from './commands.js';
import { confirm, mustConfirm } from './confirm.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { runRollout } from './run-rollout.js';
import { settingsFor } from './settings-for.js';

/** `do-deploy rollback ENVIRONMENT [RELEASE]`. Gives the exit code. */
export async function rollbackCommand(invocation: RollbackInvocation, context: CliContext): Promise<number> {
  const { environment, release } = invocation;
  const { stdout } = context;
  const settings = settingsFor(invocation, context, 'fleet');
  if (mustConfirm(settings, invocation, context)) {
    if (!(await confirm(`Roll ${environment} back to ${release ?? 'the release before'}?`, context))) {
      stdout.write('Nothing was changed.\n');
      return EXIT.interrupted;
    }
  }
  return runRollout(settings, invocation, context, (ports, options) =>
    rollback(ports, { ...options, ...(release !== undefined && { wanted: release }) }),
  );
}
