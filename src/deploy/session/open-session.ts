import { reportTo } from '../core/report.js';
import { Contacts } from '../drain/contacts.js';
import { connectAll } from '../droplet/connect.js';
import { addressOf } from '../droplet/member.js';
import type { Fleet } from '../fleet/find-fleet.js';
import { Lease } from '../lease/lease.js';
import type { Run } from '../steps/run.js';
import { type Session, stopIfInterrupted } from './session.js';

/** The session may have ended while the connections were being made: nobody else would close them. */
async function closeIfInterrupted(session: Session): Promise<void> {
  if (!session.options.interrupted.aborted) return;
  await Promise.allSettled(session.members.map((member) => member.connection.close()));
  stopIfInterrupted(session);
}

/** Connects to the droplets that run, for a command that leaves those as they are that cannot be reached, and says so. */
export async function connectRunning(session: Session, fleet: Fleet): ReturnType<typeof connectAll> {
  const { ports, options } = session;
  const running = fleet.membership.droplets.filter(({ droplet }) => droplet.status === 'active');
  const connected = await connectAll(
    ports,
    options.settings,
    running.map(({ droplet }) => droplet),
  );
  session.members = connected.members;
  await closeIfInterrupted(session);
  for (const { droplet, error } of connected.unreachable) {
    const message = `${droplet.name} cannot be reached and stays as it is: ${error.message}`;
    reportTo(ports)({ type: 'notice', level: 'warning', message, droplet: droplet.name });
  }
  return connected;
}

/** Tells what is about to be rolled out, and to whom. */
export function announce(session: Session, fleet: Fleet): void {
  const { settings } = session.options;
  const report = reportTo(session.ports);
  session.found = new Set(fleet.membership.droplets.map(({ droplet }) => droplet.id));
  session.rows = fleet.membership.droplets.map(({ droplet, rotation }) => ({
    id: droplet.id,
    name: droplet.name,
    address: addressOf(droplet, settings.ssh.address) ?? '',
    rotation,
    release: '',
    health: '',
    outcome: 'not deployed',
  }));
  report({
    type: 'rollout-started',
    command: session.command,
    app: settings.app,
    environment: settings.environment,
    release: session.release,
    target: fleet.target.description,
    rows: session.rows,
  });
  for (const message of fleet.target.notices) report({ type: 'notice', level: 'warning', message });
}

/** All droplets or an error: a deploy that leaves one out would leave the fleet on two releases. */
export async function reachAll(session: Session, fleet: Fleet): Promise<void> {
  const droplets = fleet.membership.droplets.map(({ droplet }) => droplet);
  const { members, unreachable } = await connectAll(session.ports, session.options.settings, droplets);
  session.members = members;
  await closeIfInterrupted(session);
  const [first] = unreachable;
  if (first) throw first.error;
}

/** Takes the lease on every droplet, and proves that the ledger can be written. Throws DeployError lease-held or ledger-forbidden. */
export async function takeLease(session: Session, fleet: Fleet): Promise<Run> {
  const { ports, release } = session;
  const { settings, deployer, waitLockMs, interrupted } = session.options;
  const report = reportTo(ports);
  stopIfInterrupted(session);
  report({ type: 'phase-started', phase: 'lease' });
  const since = new Date(ports.clock.now()).toISOString();
  const id = [session.command, release.id, since, deployer.who].filter(Boolean).join(' ');
  const holder = { run: id, who: deployer.who, release: release.id, since, ...(deployer.url && { url: deployer.url }) };
  const lease = await Lease.acquire(session.members, settings.app, holder, {
    clock: ports.clock,
    waitMs: waitLockMs,
    rotation: fleet.target.healthCheck !== undefined,
    signal: interrupted,
    onWait: (other) => {
      const whose = other === undefined ? '' : ` by ${other.who}`;
      report({ type: 'notice', level: 'info', message: `Waiting for another deploy${whose} to end.` });
    },
  });
  if (interrupted.aborted) await lease.release();
  stopIfInterrupted(session);
  const { target, ledger } = fleet;
  const contacts = new Contacts(target, ports.clock, settings.app);
  session.run = { ports, settings, id, deployer, target, ledger, lease, contacts, away: membersAway(session, fleet) };
  if (target.healthCheck !== undefined) {
    // Under the lease: the proof takes the tag from a droplet without it, which another run might be about to tag.
    const { droplets } = await target.readMembership();
    await ledger.prove(droplets.map(({ droplet }) => droplet));
    tellLeftOut(session, droplets);
  }
  return session.run;
}

/** Only under the lease: until then they may be in the hands of a run that is under way, as may one that was not reached. */
function tellLeftOut(session: Session, droplets: Fleet['membership']['droplets']): void {
  for (const { droplet, rotation } of droplets.filter(({ inLedger }) => inLedger)) {
    const reached = session.members.some((member) => member.droplet.id === droplet.id);
    const left = 'was left out of rotation by an earlier run; it goes first';
    const known = rotation === 'in' ? 'is still recorded as out by an earlier run' : left;
    const message = `${droplet.name} ${reached ? known : 'is recorded as out of rotation, and was not reached'}.`;
    reportTo(session.ports)({ type: 'notice', level: 'warning', message, droplet: droplet.name });
  }
}

/** Those in rotation or in the ledger that were not connected to. */
function membersAway({ members }: Session, { membership }: Fleet): number[] {
  const reached = new Set(members.map((member) => member.droplet.id));
  const fleetMembers = membership.droplets.filter(({ rotation, inLedger }) => rotation === 'in' || inLedger);
  return fleetMembers.map(({ droplet }) => droplet.id).filter((id) => !reached.has(id));
}
