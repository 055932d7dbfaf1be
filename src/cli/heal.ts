import { loadSettings } from '../config/load.js';
import { heal } from '../deploy/heal.js';
import type { HealInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { runRollout } from './run-rollout.js';

/** `do-deploy heal ENVIRONMENT`. Gives the exit code. */
export async function healCommand(invocation: HealInvocation, context: CliContext): Promise<number> {
  const { environment, config } = invocation;
  const { cwd, env } = context;
  const settings = loadSettings({
    cwd,
    env,
    environment,
    needs: 'fleet',
    ...(config !== undefined && { configPath: config }),
  });
  return runRollout(settings, invocation, context, heal);
}
