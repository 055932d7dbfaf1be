/** `do-deploy lock`: who deploys at the moment, and how to end it. */
import type { Settings } from '../config/settings.js';
import type { Deployer, DeployPorts } from './context.js';
import { findFleet } from './fleet.js';
import { breakLeaseCommand, type Holder, leaseStatusCommand, readHolder } from './remote/lease-command.js';
import type { Site } from './site.js';
import { connectAll } from './staging.js';

export interface LockRow {
  droplet: string;
  /** `unknown`: it cannot be reached, and `detail` says why. */
  state: 'free' | 'held' | 'broken' | 'unknown';
  holder?: Holder;
  detail?: string;
}

/** The lock of each droplet. Changes nothing. */
export async function readLocks(ports: DeployPorts, settings: Settings): Promise<LockRow[]> {
  return await onEveryDroplet(ports, settings, async (site) => readLock(site, settings.app));
}

/** Ends the processes that hold the locks; their run stops before its next change. */
export async function breakLocks(ports: DeployPorts, settings: Settings, deployer: Deployer): Promise<LockRow[]> {
  const since = new Date(ports.clock.now()).toISOString();
  const breaker: Holder = { run: `lock break at ${since}`, ...deployer, release: '', since, broke: true };
  return await onEveryDroplet(ports, settings, async (site) => {
    const before = await readLock(site, settings.app);
    if (before.state !== 'held') return before;
    const { stdout } = await site.connection.run(breakLeaseCommand(settings.app, breaker));
    return { ...before, state: stdout.trim() === 'broken' ? 'broken' : 'held' };
  });
}

async function readLock(site: Site, app: string): Promise<LockRow> {
  const { stdout } = await site.connection.run(leaseStatusCommand(app));
  const line = stdout.trim();
  if (!line.startsWith('held')) return { droplet: site.host.name, state: 'free' };
  const holder = readHolder(line);
  return { droplet: site.host.name, state: 'held', ...(holder && { holder }) };
}

async function onEveryDroplet(
  ports: DeployPorts,
  settings: Settings,
  task: (site: Site) => Promise<LockRow>,
): Promise<LockRow[]> {
  const { look } = await findFleet(ports, settings);
  const quiet = { ...ports, reporter: { report: () => {} } };
  const droplets = look.droplets.map(({ droplet }) => droplet);
  const { sites, unreachable } = await connectAll(quiet, settings, droplets);
  try {
    const rows = await Promise.all(sites.map(task));
    const lost = unreachable.map(
      ({ droplet, error }): LockRow => ({ droplet: droplet.name, state: 'unknown', detail: error.message }),
    );
    return [...rows, ...lost].sort((a, b) => (a.droplet < b.droplet ? -1 : 1));
  } finally {
    await Promise.allSettled(sites.map((site) => site.connection.close()));
  }
}
