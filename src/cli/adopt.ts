import { loadSettings } from '../config/load.js';
import { adopt } from '../deploy/adopt.js';
import type { AdoptInvocation } from './commands.js';
import type { CliContext } from './context.js';
import { runRollout } from './run-rollout.js';

/** `do-deploy adopt ENVIRONMENT`. Gives the exit code. */
export async function adoptCommand(invocation: AdoptInvocation, context: CliContext): Promise<number> {
  const { environment, config } = invocation;
  const { cwd, env } = context;
  const settings = loadSettings({
    cwd,
    env,
    environment,
    needs: 'images',
    ...(config !== undefined && { configPath: config }),
  });
  return runRollout(settings, invocation, context, adopt);
}
