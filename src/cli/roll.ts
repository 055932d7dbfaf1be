import { systemClock } from '../adapters/system-clock.js';
import type { Settings } from '../config/settings.js';
import type { ProcessEnv } from '../config/variables.js';
import type { DeployPorts } from '../deploy/core/deploy-ports.js';
import { reportTo } from '../deploy/core/report.js';
import type { SessionOptions } from '../deploy/session/session.js';
import type { DeployResult } from '../rollout/model.js';
import type { CommandEnd } from './define-command.js';
import { exitCodeOfResult } from './exit-codes.js';
import type { Signals } from './signals.js';
import { whoDeploys } from './who.js';

/** Options of commands that roll. */
export interface RollArguments {
  allowDowntime: boolean;
  waitLock: number;
  skipUnreachable?: boolean;
  skippedOk?: boolean;
  config?: string;
}

/** Runs what changes a fleet, with signals that bring it to a safe end. Its events and its result are the output. */
export async function roll(
  ports: DeployPorts,
  settings: Settings,
  args: RollArguments,
  { interrupted, aborted }: Signals,
  env: ProcessEnv,
  rollout: (ports: DeployPorts, options: SessionOptions) => Promise<DeployResult>,
): Promise<CommandEnd> {
  interrupted.addEventListener('abort', () => {
    reportTo({ clock: systemClock, reporter: ports.reporter })({
      type: 'deploy-interrupted',
      signal: String(interrupted.reason),
      detail: 'Bringing the current droplet to a safe end. A second signal stops immediately.',
    });
  });
  const result = await rollout(ports, {
    settings,
    allowDowntime: args.allowDowntime,
    waitLockMs: args.waitLock,
    skip: args.skipUnreachable ? (args.skippedOk ? 'ok' : 'fail') : undefined,
    deployer: whoDeploys(env),
    interrupted,
    aborted,
    alsoNext: args.config === undefined ? [] : ['--config', args.config],
  });
  return { exit: exitCodeOfResult(result) };
}
