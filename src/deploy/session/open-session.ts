/** The steps from a fleet that was found to the lease on it. */
import { DeployError } from '../../errors.js';
import type { PlacedDroplet } from '../../targets/target.js';
import { inform, reportTo, warn } from '../core/report.js';
import { Contacts } from '../drain/contacts.js';
import { closeAll, connectAll } from '../droplet/connect.js';
import { byHandSentence, type Fleet } from '../fleet/find-fleet.js';
import { notRunning } from '../fleet/not-running.js';
import { ofRole } from '../fleet/role-settings.js';
import { Lease } from '../lease/lease.js';
import type { Run } from '../steps/run.js';
import { again } from './continue-command.js';
import { rowsAtStart } from './rollout-rows.js';
import { endsOf, type Session, stopIfInterrupted } from './session.js';
import { maySkip, withSkipping } from './skipping.js';

/** Reports what is about to be rolled out, and to which droplets. */
export function announce(session: Session, fleets: readonly Fleet[]): void {
  const { ports, command, release } = session;
  const { app, environment, ssh } = session.options.settings;
  session.fleetAtStart = new Set(dropletsOf(fleets).map(({ droplet }) => droplet.id));
  session.rows = fleets.flatMap((fleet) => rowsAtStart(fleet, ssh.address));
  const target = fleets.map((fleet) => `${ofRole(fleet.settings)}${fleet.target.description}`).join(', ');
  const { rows } = session;
  const ends = endsOf(session.options);
  reportTo(ports)({ type: 'rollout-started', command, ...ends, app, environment, release, target, rows });
  for (const message of fleets.flatMap((fleet) => fleet.target.notices)) warn(ports, message);
}

/** Connects to every droplet, or throws: a rollout that left one out would leave the fleet on two releases. */
export async function connectToAll(session: Session, fleets: readonly Fleet[]): Promise<undefined> {
  const [first] = await connect(session, dropletsOf(fleets));
  if (first) throw withSkipping(first.error, session);
}

/**
 * Connects to the droplets that can be reached; the others stay as they are, with a warning for each. Throws when no
 * droplet can be reached.
 * @returns the first failure
 */
export async function connectToReachable(session: Session, fleets: readonly Fleet[]): Promise<DeployError | undefined> {
  const { ports } = session;
  const droplets = dropletsOf(fleets);
  const off = droplets.filter(({ droplet }) => droplet.status !== 'active');
  for (const { droplet } of off) warn(ports, `${droplet.name} is ${droplet.status} and stays as it is.`, droplet.name);
  const unreachable = await connect(
    session,
    droplets.filter(({ droplet }) => droplet.status === 'active'),
  );
  for (const { droplet, error } of unreachable) {
    warn(ports, `${droplet.name} cannot be reached and stays as it is: ${error.message}`, droplet.name);
  }
  session.skipped = [...off.map(({ droplet }) => ({ droplet, error: notRunning(droplet) })), ...unreachable];
  const [first] = unreachable;
  const suspect = unreachable.find(({ error }) => !maySkip(error));
  if (session.options.skip !== undefined && suspect !== undefined) throw suspect.error;
  if (session.members.length > 0) return first?.error;
  throw first?.error ?? new DeployError('droplet-off', 'No droplet is running.');
}

function dropletsOf(fleets: readonly Fleet[]): Fleet['membership']['droplets'] {
  return fleets.flatMap(({ membership }) => membership.droplets);
}

async function connect(session: Session, found: Fleet['membership']['droplets']) {
  const droplets = found.map(({ droplet }) => droplet);
  const { members, unreachable } = await connectAll(session.ports, session.options.settings, droplets);
  session.members = members;
  // The session may have ended in the meantime; then nothing else closes these connections.
  if (session.options.interrupted.aborted) await closeAll(members);
  stopIfInterrupted(session);
  return unreachable;
}

/**
 * Takes the lease on every droplet and checks that the ledgers can be written. Throws DeployError lease-held or
 * ledger-forbidden.
 * @returns a run for each fleet, which have all but their target and its records in common
 */
export async function takeLease(session: Session, fleets: readonly Fleet[]): Promise<Run[]> {
  const { ports, release, command, confirmed } = session;
  const { settings, deployer, waitLockMs, interrupted } = session.options;
  const report = reportTo(ports);
  stopIfInterrupted(session);
  report({ type: 'phase-started', phase: 'lease' });
  const since = new Date(ports.clock.now()).toISOString();
  const id = [session.options.ends ?? command, release.id, since, deployer.who].filter(Boolean).join(' ');
  const holder = { run: id, who: deployer.who, release: release.id, since, url: deployer.url };
  let waitedFrom: number | undefined;
  const lease = await Lease.acquire(session.members, settings.app, holder, {
    clock: ports.clock,
    waitMs: waitLockMs,
    rotation: fleets.some(({ target }) => target.healthCheck !== undefined),
    signal: interrupted,
    onWait: (other) => {
      const detail = `another deploy${other === undefined ? '' : ` by ${other.who}`}`;
      inform(ports, `Waiting for ${detail} to end.`);
      waitedFrom = ports.clock.now();
      report({ type: 'task-started', task: 'wait-lock', detail });
    },
  }).finally(() => {
    if (waitedFrom === undefined) return;
    report({ type: 'task-finished', task: 'wait-lock', ms: ports.clock.now() - waitedFrom });
  });
  if (interrupted.aborted) await lease.release();
  stopIfInterrupted(session);
  const common = { ports, id, deployer, lease, confirmed };
  const [first] = fleets as readonly [Fleet];
  // One for all roles: what one of them records, or removes, the others know.
  const canary: Run['canary'] = { record: first.anchors.canary, hashes: [] };
  const opened = fleets.map((fleet): Run => {
    const { target, ledger } = fleet;
    const contacts = new Contacts(target, ports.clock, settings.app);
    const away = awayFrom(session, fleet);
    return { ...common, settings: fleet.settings, target, ledger, contacts, away, canary, anchored: [] };
  });
  session.run = runOfAll(session, opened);
  const runs: Run[] = [];
  for (const [index, run] of opened.entries()) {
    const { anchored, canaries } = await (fleets[index] as Fleet).anchors.readWithCanaries();
    if (index === 0) canary.hashes = canaries;
    runs.push({ ...run, anchored });
  }
  session.run = runOfAll(session, runs);
  for (const { target, ledger, lease } of runs) {
    if (!target.isFleet) continue;
    // Under the lease: the check untags a droplet that is not marked out, and another run might be about to mark it.
    const { droplets } = await target.readMembership();
    await ledger.checkWritable(droplets.map(({ droplet }) => droplet));
    refuseTakenOut(session, droplets, fleets);
    for (const { droplet, rotation } of droplets) {
      // Left from a run that died while it brought the droplet back: if this one dies as well, heal must not spare it.
      const isBack = rotation === 'in' && session.members.some((member) => member.droplet.id === droplet.id);
      if (isBack) await ledger.forgetByHand(droplet.id, () => lease.ensure(droplet.id));
    }
    reportLeftOut(session, droplets);
  }
  return runs;
}

/** For what concerns the whole environment, such as its history. */
function runOfAll({ options: { settings } }: Session, runs: readonly Run[]): Run | undefined {
  const [first] = runs;
  if (first === undefined || runs.length === 1) return first;
  const anchored = runs.flatMap((run) => run.anchored).sort((one, other) => other.sequence - one.sequence);
  return { ...first, settings, anchored, away: runs.flatMap(({ away = [] }) => away) };
}

/**
 * Somebody may have taken a droplet out while this run waited for the lock. Throws DeployError fleet-changed.
 * @param fleets as they were found, with the droplet that this run brings back
 */
function refuseTakenOut(session: Session, droplets: readonly PlacedDroplet[], fleets: readonly Fleet[]): void {
  const known = new Set(dropletsOf(fleets).flatMap(({ droplet, byHand }) => (byHand ? [droplet.id] : [])));
  const isMember = ({ id }: PlacedDroplet['droplet']) => session.members.some(({ droplet }) => droplet.id === id);
  const taken = droplets.find((one) => one.byHand && isMember(one.droplet) && !known.has(one.droplet.id));
  if (taken === undefined) return;
  throw new DeployError('fleet-changed', `${byHandSentence(taken)}. That was after this run had begun.`, {
    droplet: taken.droplet.name,
    hint: `Run it again: ${again(session)}`,
  });
}

/** Only under the lease: before, droplets that are marked out may be in the hands of another run. */
function reportLeftOut({ ports, members }: Session, droplets: Fleet['membership']['droplets']): void {
  for (const { droplet, rotation } of droplets.filter((one) => one.inLedger && one.byHand === undefined)) {
    const isReached = members.some((member) => member.droplet.id === droplet.id);
    const found =
      rotation === 'in'
        ? 'In rotation, but still recorded as out by an earlier run.'
        : `Left ${rotation === 'none' ? 'in the middle of a change' : 'out of rotation'} by an earlier run.`;
    const recorded = rotation === 'none' ? 'being changed' : 'out of rotation';
    warn(ports, isReached ? found : `Recorded as ${recorded}, and not reached.`, droplet.name);
  }
}

/** Those that the user chose to skip count neither in the size of the fleet nor as serving. */
function awayFrom(session: Session, fleet: Fleet): number[] {
  return session.options.skip === undefined ? idsAway(session, fleet) : [];
}

/** Ids of droplets in rotation, without any, or in the ledger that this run is not connected to. */
function idsAway({ members }: Session, { membership }: Fleet): number[] {
  const reached = new Set(members.map((member) => member.droplet.id));
  const fleetMembers = membership.droplets.filter(({ rotation, inLedger }) => rotation !== 'out' || inLedger);
  return fleetMembers.map(({ droplet }) => droplet.id).filter((id) => !reached.has(id));
}
