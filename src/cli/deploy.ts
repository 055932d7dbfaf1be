import { loadSettings } from '../config/load.js';
import type { DeployInvocation } from './commands.js';
import { confirm, mustConfirm } from './confirm.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';

/** `do-deploy ENVIRONMENT [RELEASE]`. Gives the exit code. */
export async function deployCommand(invocation: DeployInvocation, context: CliContext): Promise<number> {
  const { environment, config, release, force } = invocation;
  const { cwd, env } = context;
  const settings = loadSettings({ cwd, env, environment, ...(config !== undefined && { configPath: config }) });
  const imageTag = release ?? settings.imageTag;
  if (mustConfirm(settings, invocation, context)) {
    if (!(await confirm(`Deploy ${settings.app} ${imageTag} to ${environment}?`, context))) {
      context.stdout.write('Nothing was deployed.\n');
      return EXIT.interrupted;
    }
  }
  // Imported only now: a wrong configuration is told at once.
  const [{ runRollout }, { deploy }] = await Promise.all([
    import('./run-rollout.js'),
    import('../deploy/deployment.js'),
  ]);
  return runRollout(settings, invocation, context, (ports, options) => {
    return deploy(ports, { ...options, imageTag, force, ...(release !== undefined && { releaseRef: release }) });
  });
}
