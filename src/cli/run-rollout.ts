import { hostname, userInfo } from 'node:os';
import { systemClock } from '../adapters/system-clock.js';
import type { Settings } from '../config/settings.js';
import type { DeployPorts } from '../deploy/core/deploy-ports.js';
import { reportTo } from '../deploy/core/report.js';
import type { SessionOptions } from '../deploy/session/session.js';
import { asDeployError } from '../errors.js';
import type { DeployResult } from '../rollout/model.js';
import type { CommonOptions } from './commands.js';
import type { CliContext } from './context.js';
import { exitCodeOfError, exitCodeOfResult } from './exit-codes.js';
import { createOutput } from './output.js';
import { listenForSignals } from './signals.js';
import { whoDeploys } from './who.js';
import { wire } from './wire.js';

/** Runs what changes a fleet, with signals that bring it to a safe end. Gives the exit code. */
export async function runRollout(
  settings: Settings,
  invocation: CommonOptions & { allowDowntime: boolean; waitLockMs: number },
  context: CliContext,
  rollout: (ports: DeployPorts, options: SessionOptions) => Promise<DeployResult>,
): Promise<number> {
  const { allowDowntime, waitLockMs, config } = invocation;
  const alsoNext = config === undefined ? [] : ['--config', config];
  const reporter = createOutput(context, invocation, settings.secrets);
  const { interrupted, aborted, dispose } = listenForSignals(process, systemClock);
  interrupted.addEventListener('abort', () => {
    reportTo({ clock: systemClock, reporter })({
      type: 'deploy-interrupted',
      signal: String(interrupted.reason),
      detail: 'Bringing the droplet in hand to a safe end; a second signal stops at once.',
    });
  });
  const deployer = whoDeploys(context.env, userInfo().username, hostname());
  try {
    const ports = wire(settings, reporter, invocation);
    const options = { settings, allowDowntime, waitLockMs, deployer, interrupted, aborted, alsoNext };
    const result = await rollout(ports, options);
    await reporter.close();
    return exitCodeOfResult(result);
  } catch (thrown) {
    const error = asDeployError(thrown);
    // The terminal is restored first: the message must not land in the middle of a live table.
    await reporter.close();
    reporter.printError(error);
    return exitCodeOfError(error);
  } finally {
    dispose();
  }
}
