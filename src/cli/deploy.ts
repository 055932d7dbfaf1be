import { hostname, userInfo } from 'node:os';
import { systemClock } from '../adapters/system-clock.js';
import { type LoadedSettings, loadSettings } from '../config/load.js';
import { asDeployError } from '../errors.js';
import type { DeployInvocation } from './commands.js';
import { confirm, mustConfirm } from './confirm.js';
import type { CliContext } from './context.js';
import { EXIT, exitCodeOfError, exitCodeOfResult } from './exit-codes.js';
import { createOutput } from './output.js';
import { listenForSignals } from './signals.js';
import { whoDeploys } from './who.js';

/** `do-deploy ENVIRONMENT [RELEASE]`. Gives the exit code. */
export async function deployCommand(invocation: DeployInvocation, context: CliContext): Promise<number> {
  const { environment, config, release } = invocation;
  const settings = loadSettings({
    cwd: context.cwd,
    environment,
    env: context.env,
    ...(config !== undefined && { configPath: config }),
  });
  const imageTag = release ?? settings.imageTag;
  if (mustConfirm(settings, invocation, context)) {
    if (!(await confirm(`Deploy ${settings.app} ${imageTag} to ${environment}?`, context))) {
      context.stdout.write('Nothing was deployed.\n');
      return EXIT.interrupted;
    }
  }
  return run(settings, imageTag, invocation, context);
}

async function run(
  settings: LoadedSettings,
  imageTag: string,
  invocation: DeployInvocation,
  context: CliContext,
): Promise<number> {
  const { allowDowntime, force, release } = invocation;
  const [{ wire }, { deploy }] = await Promise.all([import('./wire.js'), import('../deploy/deployment.js')]);
  const reporter = createOutput(context, invocation, settings.secrets);
  const signals = listenForSignals(process, systemClock);
  try {
    const result = await deploy(wire(settings, reporter, invocation), {
      settings,
      imageTag,
      ...(release !== undefined && { releaseRef: release }),
      allowDowntime,
      force,
      ...whoDeploys(context.env, userInfo().username, hostname()),
      interrupted: signals.interrupted,
      aborted: signals.aborted,
    });
    await reporter.close();
    return exitCodeOfResult(result);
  } catch (thrown) {
    const error = asDeployError(thrown);
    await reporter.close();
    reporter.printError(error);
    return exitCodeOfError(error);
  } finally {
    signals.dispose();
  }
}
