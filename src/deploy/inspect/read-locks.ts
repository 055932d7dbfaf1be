/** `do-deploy lock`: who deploys at the moment, and how to end it. */

import type { Settings } from '../../config/settings.js';
import type { Deployer, DeployPorts } from '../core/deploy-ports.js';
import { connectAll } from '../droplet/connect.js';
import type { Member } from '../droplet/member.js';
import { findFleet } from '../fleet/find-fleet.js';
import { breakLeaseCommand, type Holder, leaseStatusCommand, readHolder } from '../lease/lease-commands.js';
export interface LockRow {
  droplet: string;
  /** `unknown`: it cannot be reached, and `detail` says why. */
  state: 'free' | 'held' | 'broken' | 'unknown';
  holder?: Holder;
  detail?: string;
}

/** The lock of each droplet. Changes nothing. */
export async function readLocks(ports: DeployPorts, settings: Settings): Promise<LockRow[]> {
  return await onEveryDroplet(ports, settings, async (member) => readLock(member, settings.app));
}

/** Ends the processes that hold the locks; their run stops before its next change. */
export async function breakLocks(ports: DeployPorts, settings: Settings, deployer: Deployer): Promise<LockRow[]> {
  const since = new Date(ports.clock.now()).toISOString();
  const breaker: Holder = { run: `lock break at ${since}`, ...deployer, release: '', since, broke: true };
  return await onEveryDroplet(ports, settings, async (member) => {
    const before = await readLock(member, settings.app);
    if (before.state !== 'held') return before;
    const { stdout } = await member.connection.run(breakLeaseCommand(settings.app, breaker));
    return { ...before, state: stdout.trim() === 'broken' ? 'broken' : 'held' };
  });
}

async function readLock(member: Member, app: string): Promise<LockRow> {
  const { stdout } = await member.connection.run(leaseStatusCommand(app));
  const line = stdout.trim();
  if (!line.startsWith('held')) return { droplet: member.host.name, state: 'free' };
  const holder = readHolder(line);
  return { droplet: member.host.name, state: 'held', ...(holder && { holder }) };
}

async function onEveryDroplet(
  ports: DeployPorts,
  settings: Settings,
  task: (member: Member) => Promise<LockRow>,
): Promise<LockRow[]> {
  const { membership } = await findFleet(ports, settings);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const droplets = membership.droplets.map(({ droplet }) => droplet);
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
