/** Writes the droplet into the ledger and, where there is a balancer, makes sure that the balancer can be heard while it still uses the droplet. */

import type { RemoteCommand } from '../../ports.js';
import { waitForAll } from '../core/parallel.js';
import { appFolder, command, writeFile } from '../core/shell.js';
import { watchedPorts } from '../drain/traffic-command.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import type { OutMark } from '../droplet/survey-command.js';
import { changeDroplet } from '../lease/change-droplet.js';
import { asHolder } from '../lease/lease-commands.js';
import type { StepContext, StepResult } from './run.js';

const LISTEN_EVERY_MS = 500;

function markOutCommand(app: string, out: OutMark): RemoteCommand {
  return command('mark-out', { app, out }, [
    'set -eu',
    'umask 077',
    `mkdir -p ${appFolder(app)}`,
    `cd ${appFolder(app)}`,
    asHolder(app, out.run),
    ...writeFile('out.json', out),
  ]);
}

export async function markOut(member: Member, run: StepContext): Promise<StepResult> {
  const since = run.ports.clock.now();
  const isBalanced = run.target.healthCheck !== undefined;
  // Concurrently: DigitalOcean's answer takes as long as the droplet's.
  await waitForAll([
    refreshContainers(member, run.settings.app).then(() => (isBalanced ? run.contacts.listen(member) : undefined)),
    run.ledger.write(member.droplet.id, () => run.lease.ensure(member.droplet.id)),
  ]);
  const out = { since: new Date(since).toISOString(), run: run.id, who: run.deployer.who };
  // The ledger first: a run that died in between would leave a mark without a tag, which no later run removes.
  await changeDroplet(member, markOutCommand(run.settings.app, out));
  if (!isBalanced) return {};
  if (watchedPorts(member.containers, run.target.ports).length === 0) {
    return { detail: "nothing serves on the balancer's ports" };
  }
  run.contacts.of(member).heard = await isBalancerHeard(member, run);
  return {};
}

/** Whether the counters have heard the balancer within the time in which each node checks; waits for as long. */
async function isBalancerHeard(member: Member, run: StepContext): Promise<boolean> {
  const { clock } = run.ports;
  const { traffic } = run.contacts.of(member);
  const checks = run.contacts.checksOf(member);
  if (checks === undefined) return false;
  for (const started = clock.now(); traffic.isCounting; await run.contacts.listen(member)) {
    if (clock.now() - (traffic.lastHeardAt ?? Number.NEGATIVE_INFINITY) <= checks.windowMs) return true;
    if (run.signal.aborted || clock.now() - started > checks.windowMs) return false;
    run.progress("listening for the balancer's health check");
    await clock.sleep(Math.min(LISTEN_EVERY_MS, checks.intervalMs / 4), run.signal);
  }
  return false;
}
