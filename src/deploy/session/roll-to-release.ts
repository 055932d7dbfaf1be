import { setMaxListeners } from 'node:events';
import { asDeployError, type DeployError, reasonOf } from '../../errors.js';
import type { DeployResult, Probes } from '../../rollout/model.js';
import { isBaked } from '../../rollout/rests.js';
import { combined } from '../../rollout/roles.js';
import {
  isCondemned,
  isDeployed,
  isHeld,
  isUntroubled,
  leftOut,
  type RolloutState,
  stillToCome,
} from '../../rollout/rollout-state.js';
import { takeBack } from '../../rollout/transitions.js';
import { doDeploy } from '../core/do-deploy.js';
import { onAbort } from '../core/on-abort.js';
import { inform, reportTo, warn } from '../core/report.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import { watchedIn } from './ask-first.js';
import type { Probe } from './availability.js';
import { recordBaked, recordBakeOwed } from './bake-record.js';
import { besideLeftOut, canaryHeld, forgetCanary, heldSentence, withCanary } from './canary.js';
import { askedOf, continueCommand } from './continue-command.js';
import { type Goal, goalFor } from './goal.js';
import { raise } from './lifecycle.js';
import { reportNewcomers } from './newcomers.js';
import { FRESH_MS } from './observe-fleet.js';
import { type Rolled, type RollOptions, roll } from './orchestrator.js';
import { capacityReporter, reportForecast } from './outlook.js';
import { forgetPostDeploy, owesPostDeploy, postDeploy } from './post-deploy.js';
import { isComplete, resultOf } from './result.js';
import type { Share } from './rollout.js';
import { isSameRow, rowsOf } from './rollout-rows.js';
import { RolloutWatch } from './rollout-watch.js';
import { type Session, stopIfInterrupted, unlessUncaught } from './session.js';
import { skippedRows } from './skipping.js';
import { writeHistory, writeHistoryAndPrune, writeHistoryWithoutLock } from './write-history.js';

/** A share with its goal, and the state from which it is rolled. */
export interface PlannedShare extends Share {
  goal: Goal;
  start: RolloutState;
  /** By droplet id: the release to revert to. */
  previous: ReadonlyMap<number, StoredRelease>;
}

/** Rolls the shares to their goals, one after the other, and finishes; or skips when every droplet already runs its goal. */
export async function rollToRelease(session: Session, shares: readonly PlannedShare[]): Promise<DeployResult> {
  const { ports, release } = session;
  const report = reportTo(ports);
  const [{ run, goal }] = shares as readonly [PlannedShare];
  const starts = shares.map(({ start }) => start);
  session.rows = rowsOfAll(session, shares, starts);
  for (const row of session.rows) report({ type: 'row-changed', row });
  if (isOver(starts)) {
    const summary = nothingToDo(session, shares);
    await forgetCanary(session, shares);
    const nothing: DeployResult = { release, rows: session.rows, durationMs: 0, outcome: 'skipped', summary };
    const base = withCanary(session, run, nothing);
    if (session.part !== undefined || !(await owesPostDeploy(session, goal))) return base;
    inform(ports, 'An earlier run has rolled this release out, but did not finish post_deploy.');
    session.underway = true;
    const ended = await makeUpForPostDeploy(session, goal, base);
    const durationMs = ports.clock.now() - session.startedAt;
    await writeHistory(run, session.members, session.options.ends ?? session.command, goal.release, {
      ...ended,
      durationMs,
    });
    return ended;
  }
  const left = leftOut(combined(starts));
  if (left.length > 0) {
    throw besideLeftOut(
      session.members.filter(({ droplet }) => left.includes(droplet.id)),
      run.settings,
    );
  }
  return await withGrace(session, (stop) => rollAndFinish(session, shares, stop));
}

/** Throws DeployError layer-failed. */
async function makeUpForPostDeploy(session: Session, goal: Goal, base: DeployResult): Promise<DeployResult> {
  try {
    await withGrace(session, (stop) => raiseOrStop(session, () => postDeploy(session, goal, stop)));
    return { ...base, outcome: 'succeeded' };
  } catch (error) {
    if (asDeployError(error).code !== 'interrupted') throw error;
    const next = continueCommand(askedOf(session), session.release);
    return { ...base, outcome: 'interrupted', summary: `${base.summary} post_deploy was not finished.`, next };
  }
}

/** Every droplet that shall have the release has it, baked. */
function isOver(starts: readonly RolloutState[]): boolean {
  const all = combined(starts);
  return isBaked(all) && (isHeld(all) || all.droplets.every(({ course }) => course === 'done'));
}

async function rollAndFinish(
  session: Session,
  shares: readonly PlannedShare[],
  stop: AbortSignal,
): Promise<DeployResult> {
  const { ports, members, release, command } = session;
  const report = reportTo(ports);
  const [{ run: first, goal }] = shares as readonly [PlannedShare];
  const run = session.run ?? first;
  session.underway = true;
  const observedAt = ports.clock.now();
  const { probe, message } = await session.probe;
  if (message !== undefined) inform(ports, message);
  await raiseOrStop(session, () => raise(session, 'deploy', {}, stop));
  stopIfInterrupted(session);
  await forgetPostDeploy(session, goal);
  if (shares.every(({ start }) => stillToCome(start) === 0))
    inform(ports, 'An earlier run has rolled this release out, but did not finish the bake.');
  report({ type: 'phase-started', phase: 'roll' });
  await reportForecast(
    session,
    shares.map(({ start }) => start),
  );
  session.rolling = true;
  const { probes, ...rolled } = await rollShares(session, shares, { stop, observedAt, probe });
  const state = combined(rolled.states);
  const rows = rowsOfAll(session, shares, rolled.states);
  const parts = shares.map(({ fleet }, index) => ({ name: fleet.settings.role, state: rolled.states[index] ?? state }));
  const isFleets = first.anchored[0]?.hash === releaseHash(goal.release);
  const error = rolled.error ?? (await failureAfterRolling(session, goal, state, stop));
  const durationMs = ports.clock.now() - session.startedAt;
  const ended = { ...askedOf(session), rows, release, durationMs, parts, isFleets };
  const gone = new Set(state.droplets.filter((one) => one.gone).map(({ id }) => id));
  if (!state.halted) await forgetCanary(session, shares, gone);
  if (isCondemned(state) && !isComplete(state) && !state.halted) await withdrawAnchor(session, first, state);
  const rolledOut = unlessUncaught(session.options, resultOf({ ...rolled, ...ended, state, error }));
  const result = withCanary(session, first, { ...rolledOut, probes }, isCondemned(state));
  if (state.halted) {
    await writeHistoryWithoutLock(run, members, session.options.ends ?? command, goal.release, result);
    return result;
  }
  report({ type: 'phase-started', phase: 'finish' });
  await writeHistoryAndPrune(run, members, session.options.ends ?? command, session.goal ?? goal, result);
  let joined = false;
  for (const [index, share] of shares.entries()) {
    joined = (await reportNewcomers(share.run, session.fleetAtStart, rolled.states[index] ?? state)) || joined;
  }
  return joined ? { ...result, next: result.next ?? doDeploy(run.settings, 'adopt') } : result;
}

interface RolledShares extends Omit<Rolled, 'state'> {
  /** Of each share; of one that was not begun, the state from which it would have been. */
  states: RolloutState[];
  probes?: Probes;
}

interface Rolling {
  stop: AbortSignal;
  /** When the states at the start were observed. */
  observedAt: number;
  probe: Probe | undefined;
}

/**
 * Rolls one share after the other. A failure, or a signal, stops what follows. Where it condemns the release for the whole
 * fleet, the shares before go back, the last one first.
 */
async function rollShares(
  session: Session,
  shares: readonly PlannedShare[],
  { stop, observedAt, probe }: Rolling,
): Promise<RolledShares> {
  const { clock } = session.ports;
  const { interrupted } = session.options;
  const states = shares.map(({ start }) => start);
  const rolled: RolledShares = { states, evidence: [] };
  const rollOne = async (index: number, share: PlannedShare, from: RolloutState) => {
    const watch = new RolloutWatch(share.run, { ...watchedIn(session, probe), before: rolled.probes }, interrupted);
    const reportCapacity = capacityReporter(session, share.fleet.settings.role);
    reportCapacity(from);
    const onState = (state: RolloutState) => {
      states[index] = state;
      reportCapacity(state);
      reportChangedRows(session, shares, states);
    };
    const later = rolesAfter(shares, index);
    const one = await rollAll(session, share, from, { stop, watch, onState, later }).finally(async () => {
      rolled.probes = sumOf(rolled.probes, await watch.stop());
    });
    states[index] = one.state;
    rolled.error ??= one.error;
    rolled.evidence.push(...one.evidence);
    return one.state;
  };
  for (const [index, share] of shares.entries()) {
    const { start } = share;
    if (isOver([start])) continue;
    // A migration, or the shares before, may have taken minutes: then the first batch needs an observation of its own.
    const isOld = index > 0 || clock.now() - observedAt > FRESH_MS;
    await recordBakeOwed(session, share, share.goal.release);
    const ended = await rollOne(index, share, isOld ? { ...start, observed: false } : start);
    const isDone = isHeld(ended) || isComplete(ended);
    if (isDone && isUntroubled(ended) && isBaked(ended)) await recordBaked(session, share);
    if (!isDone) {
      if (!ended.revertingFleet) break;
      for (const [before, other] of [...shares.entries()].slice(0, index).reverse()) {
        const back = takeBack(states[before] ?? other.start);
        if (combined(states).halted || interrupted.aborted) break;
        if (back.droplets.some(({ course }) => course === 'waiting')) await rollOne(before, other, back);
      }
      break;
    }
    if (rolled.error !== undefined || interrupted.aborted) break;
  }
  return rolled;
}

/** Those of the following roles that have droplets to roll. */
function rolesAfter(shares: readonly PlannedShare[], index: number): { role: string; droplets: number }[] {
  return shares.slice(index + 1).flatMap(({ fleet, start }) => {
    const droplets = start.droplets.filter(({ course }) => course === 'waiting').length;
    const { role } = fleet.settings;
    return role === undefined || droplets === 0 ? [] : [{ role, droplets }];
  });
}

function sumOf(one: Probes | undefined, other: Probes | undefined): Probes | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    ...one,
    total: one.total + other.total,
    failed: one.failed + other.failed,
    slowestMs: Math.max(one.slowestMs, other.slowestMs),
    firstFailure: one.firstFailure ?? other.firstFailure,
  };
}

/** Raises an event. Where the user has interrupted, its failure is only a warning, and the interruption is thrown. */
async function raiseOrStop(session: Session, raised: () => Promise<void>): Promise<void> {
  try {
    await raised();
  } catch (error) {
    const { code, message, hint } = asDeployError(error);
    // The end of an interrupted run has no error that could say what goes on.
    if (session.options.interrupted.aborted && code !== 'interrupted')
      warn(session.ports, hint === undefined ? message : `${message} ${hint}`);
    stopIfInterrupted(session);
    throw error;
  }
}

/** Droplets may stay on a release that has failed: it is not the fleet's, and no droplet is adopted to it. Never throws. */
async function withdrawAnchor(
  { ports, members }: Session,
  { anchor, lease }: PlannedShare['run'],
  { droplets }: RolloutState,
): Promise<void> {
  const [member] = members;
  if (anchor === undefined || member === undefined) return;
  try {
    const isGone = droplets.every((one) => one.gone || !isDeployed(one));
    await anchor.condemned(isGone, () => lease.ensure(member.droplet.id));
  } catch (error) {
    warn(ports, `It could not be recorded that the release has failed: ${reasonOf(error)}`);
  }
}

/** Raises post_deploy once every droplet runs its release, and has baked. */
async function failureAfterRolling(
  session: Session,
  goal: Goal,
  state: RolloutState,
  stop: AbortSignal,
): Promise<DeployError | undefined> {
  // Droplets that were left out have another release: what assumes one everywhere must wait.
  if (!isComplete(state) || !isBaked(state) || session.part !== undefined || (session.run?.away ?? []).length > 0)
    return undefined;
  try {
    await raiseOrStop(session, () => postDeploy(session, goal, stop));
    return undefined;
  } catch (error) {
    return asDeployError(error);
  }
}

function nothingToDo({ command, members, part }: Session, shares: readonly PlannedShare[]): string {
  const [{ goal, run }] = shares as readonly [PlannedShare];
  const { id } = goal.release;
  if (run.stopping !== undefined && run.stopping.kind !== 'start-all') {
    const { service, kind } = run.stopping;
    return `${service} ${kind === 'stop' ? 'is stopped already' : 'runs'} on every droplet.`;
  }
  const held = canaryHeld(run, members);
  if (command === 'adopt' && held !== undefined) {
    return `Every droplet without the canary runs release ${id}. ${heldSentence(held)}`;
  }
  if (part !== undefined) return `The droplets that it was to be held on already run release ${id}.`;
  const isBalanced = shares.every(({ run }) => run.target.healthCheck !== undefined);
  const some = shares.some(({ run }) => (run.away ?? []).length > 0);
  const all = members.length === 1 ? 'The droplet runs' : `All ${members.length} droplets run`;
  if (command === 'adopt') return `${some ? 'Every droplet that was reached runs' : all} release ${id}.`;
  if (command === 'heal')
    return `Every droplet${some ? ' that was reached' : ''} ${isBalanced ? 'is in rotation, healthy and verified' : 'runs, healthy and verified'}.`;
  return `Every droplet${some ? ' that was reached' : ''} already runs this release, healthy${isBalanced ? ' and in rotation' : ''}.`;
}

/** After an interruption, `stop` aborts at the second signal or at the end of the grace period. */
async function withGrace<T>(session: Session, task: (stop: AbortSignal) => Promise<T>): Promise<T> {
  const { clock } = session.ports;
  const { interrupted, aborted, settings } = session.options;
  const ended = new AbortController();
  const stop = new AbortController();
  // Each droplet of a batch may have a handler that listens; Node would take that for a leak.
  setMaxListeners(0, stop.signal);
  const startGrace = async () => {
    await clock.sleep(settings.rollout.interruptGraceMs, ended.signal);
    if (!ended.signal.aborted) stop.abort();
  };
  onAbort(interrupted, () => void startGrace(), ended.signal);
  onAbort(aborted, () => stop.abort(), ended.signal);
  try {
    return await task(stop.signal);
  } finally {
    ended.abort();
  }
}

async function rollAll(
  session: Session,
  { run, members, goal, previous }: PlannedShare,
  from: RolloutState,
  { stop, ...options }: { stop: AbortSignal } & Pick<RollOptions, 'watch' | 'onState' | 'later'>,
): Promise<Rolled> {
  return await roll(run, members, from, {
    releaseFor: (droplet) => goalFor(goal, droplet),
    previous,
    interrupted: session.options.interrupted,
    aborted: stop,
    events: {
      beforeLeave: (droplet) => raise(session, 'before_leave', { droplet }, stop),
      afterRejoin: (droplet) => raise(session, 'after_rejoin', { droplet }, stop),
      afterBatch: (batch) => raise(session, 'after_batch', { batch }, stop),
    },
    ...options,
  });
}

/** With those of droplets that were left out. */
function rowsOfAll(
  session: Session,
  shares: readonly PlannedShare[],
  states: readonly RolloutState[],
): DeployResult['rows'] {
  const own = shares.flatMap(({ start, members, goal, fleet }, index) =>
    rowsOf(states[index] ?? start, members, goal, fleet.settings.role),
  );
  return [...own, ...skippedRows(session)];
}

function reportChangedRows(session: Session, shares: readonly PlannedShare[], states: readonly RolloutState[]): void {
  const before = session.rows;
  session.rows = rowsOfAll(session, shares, states);
  const report = reportTo(session.ports);
  for (const [index, row] of session.rows.entries()) {
    if (!isSameRow(row, before[index])) report({ type: 'row-changed', row });
  }
}
