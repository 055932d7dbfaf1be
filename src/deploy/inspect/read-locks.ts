/** `do-deploy lock`: who holds the lock on each droplet, and how to break it. */

import type { Settings } from '../../config/settings.js';
import type { CommandResult } from '../../ports.js';
import type { Deployer, DeployPorts } from '../core/deploy-ports.js';
import { errorLine } from '../core/output-lines.js';
import { connectAll } from '../droplet/connect.js';
import type { Member } from '../droplet/member.js';
import { findFleets } from '../fleet/find-fleet.js';
import { breakLeaseCommand, type Holder, leaseStatusCommand, readHolder } from '../lease/lease-commands.js';
export interface LockRow {
  droplet: string;
  /** `unknown`: the droplet cannot be reached, or its lock cannot be read. */
  state: 'free' | 'held' | 'broken' | 'unknown';
  /** Absent while the lock is held: that run has just started. */
  holder?: Holder;
  /** Why the state is unknown, or why the lock could not be broken. */
  detail?: string;
}

/** Reads the lock of each droplet. Changes nothing. */
export async function readLocks(ports: DeployPorts, settings: Settings): Promise<LockRow[]> {
  return await onEveryDroplet(ports, settings, async (member) => readLock(member, settings.app));
}

/** Ends the processes that hold the locks. The run that loses its lock stops before its next change. */
export async function breakLocks(ports: DeployPorts, settings: Settings, deployer: Deployer): Promise<LockRow[]> {
  const since = new Date(ports.clock.now()).toISOString();
  const breaker: Holder = { run: `lock break at ${since}`, ...deployer, release: '', since, broke: true };
  return await onEveryDroplet(ports, settings, async (member) => {
    const before = await readLock(member, settings.app);
    if (before.state !== 'held') return before;
    const result = await member.connection.run(breakLeaseCommand(settings.app, breaker));
    if (result.code !== 0) return { ...before, detail: reasonOf(result) };
    return { ...before, state: result.stdout.trim() === 'broken' ? 'broken' : 'free' };
  });
}

export async function readLock(member: Member, app: string): Promise<LockRow> {
  const result = await member.connection.run(leaseStatusCommand(app));
  const line = result.stdout.trim();
  const droplet = member.host.name;
  if (result.code === 0 && line === 'free') return { droplet, state: 'free' };
  if (result.code === 0 && line.startsWith('held')) return { droplet, state: 'held', holder: readHolder(line) };
  return { droplet, state: 'unknown', detail: reasonOf(result) };
}

/** What a command that failed has printed. */
function reasonOf({ code, stderr }: CommandResult): string {
  return errorLine(stderr, `exit code ${code}`);
}

async function onEveryDroplet(
  ports: DeployPorts,
  settings: Settings,
  task: (member: Member) => Promise<LockRow>,
): Promise<LockRow[]> {
  const fleets = await findFleets(ports, settings, { overlap: 'first' });
  const quiet = { ...ports, reporter: { report: () => {} } };
  const droplets = fleets.flatMap(({ membership }) => membership.droplets.map(({ droplet }) => droplet));
  const { members, unreachable } = await connectAll(quiet, settings, droplets);
  try {
    const rows = await Promise.all(members.map(task));
    const lost = unreachable.map(
      ({ droplet, error }): LockRow => ({ droplet: droplet.name, state: 'unknown', detail: error.message }),
    );
    return [...rows, ...lost].sort((a, b) => (a.droplet < b.droplet ? -1 : 1));
  } finally {
    await Promise.allSettled(members.map((member) => member.connection.close()));
  }
}
