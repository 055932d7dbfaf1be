import { hostname, userInfo } from 'node:os';
import { breakLocks, type LockRow, readLocks } from '../deploy/inspect/read-locks.js';
import { describeHolder } from '../deploy/lease/lease.js';
import { cleanText } from '../reporters/text.js';
import type { LockInvocation } from './commands.js';
import { confirm, mustConfirm } from './confirm.js';
import type { CliContext } from './context.js';
import { EXIT } from './exit-codes.js';
import { createOutput } from './output.js';
import { settingsFor } from './settings-for.js';
import { whoDeploys } from './who.js';
import { wire } from './wire.js';

/** `do-deploy lock status|break ENVIRONMENT`. Gives the exit code. */
export async function lockCommand(invocation: LockInvocation, context: CliContext): Promise<number> {
  const { action, environment } = invocation;
  const { env, stdout } = context;
  const settings = await settingsFor(invocation, context, 'fleet');
  if (action === 'break' && mustConfirm({ confirm: true }, invocation, context)) {
    if (!(await confirm(`Stop whoever deploys to ${environment} at the moment?`, context))) return EXIT.interrupted;
  }
  const reporter = createOutput(context, invocation, settings.secrets);
  const ports = wire(settings, reporter, invocation);
  const deployer = whoDeploys(env, userInfo().username, hostname());
  const rows = action === 'break' ? await breakLocks(ports, settings, deployer) : await readLocks(ports, settings);
  await reporter.close();
  if (invocation.json) stdout.write(`${JSON.stringify({ schema: 2, type: 'locks', environment, rows })}\n`);
  else stdout.write(rows.map((row) => `${lockLine(row)}\n`).join(''));
  return rows.some(({ state }) => state === 'unknown') ? EXIT.failed : EXIT.ok;
}

/** `web-1: held: ann@laptop, release …, since …`. The holder's words come from the droplet. */
export function lockLine({ droplet, state, holder, detail }: LockRow): string {
  const more = detail === undefined ? '' : `: ${detail}`;
  return cleanText(`${droplet}: ${state}${describeHolder(holder)}${more}`);
}
