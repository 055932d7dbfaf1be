import { setMaxListeners } from 'node:events';
import { asDeployError, type DeployError } from '../../errors.js';
import { variablesOf } from '../../rollout/lifecycle-variables.js';
import type { DeployResult, Probes } from '../../rollout/model.js';
import { isHeld, type RolloutState } from '../../rollout/planner.js';
import { onAbort } from '../core/on-abort.js';
import { inform, reportTo, warn } from '../core/report.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Run } from '../steps/run.js';
import type { Probe } from './availability.js';
import { canaryHeld, forgetCanary, heldSentence, withCanary } from './canary.js';
import { askedOf } from './continue-command.js';
import { type Goal, goalFor } from './goal.js';
import { payloadOf, raise } from './lifecycle.js';
import { reportNewcomers } from './newcomers.js';
import { FRESH_MS } from './observe-fleet.js';
import { type Rolled, roll } from './orchestrator.js';
import { forgetPostDeploy, owesPostDeploy, postDeploy } from './post-deploy.js';
import { isComplete, resultOf } from './result.js';
import { isSameRow, rowsOf } from './rollout-rows.js';
import { RolloutWatch, type Watched } from './rollout-watch.js';
import { type Session, stopIfInterrupted } from './session.js';
import { skippedRows } from './skipping.js';
import { writeHistoryAndPrune, writeHistoryWithoutLock } from './write-history.js';

/**
 * Rolls the fleet to its goal and finishes; or skips when every droplet already runs it.
 * @param previous by droplet id: the release to revert to
 */
export async function rollToRelease(
  session: Session,
  run: Run,
  start: RolloutState,
  goal: Goal,
  previous: ReadonlyMap<number, StoredRelease>,
): Promise<DeployResult> {
  const { ports, members, release } = session;
  const report = reportTo(ports);
  const skipped = skippedRows(session);
  session.rows = [...rowsOf(start, members, goal), ...skipped];
  for (const row of session.rows) report({ type: 'row-changed', row });
  if (isHeld(start) || start.droplets.every((droplet) => droplet.course === 'done')) {
    const summary = nothingToDo(session, run, goal.release);
    await forgetCanary(session, run);
    const nothing: DeployResult = { release, rows: session.rows, durationMs: 0, outcome: 'skipped', summary };
    const base = withCanary(session, run, nothing);
    if (session.part !== undefined || !(await owesPostDeploy(session, goal))) return base;
    inform(ports, 'An earlier run has rolled this release out, but did not finish post_deploy.');
    // From here on, only the second signal stops it.
    session.underway = true;
    await postDeploy(session, goal);
    return { ...base, outcome: 'succeeded' };
  }
  return await withGrace(session, (stop) => rollAndFinish(session, run, start, goal, previous, stop));
}

async function rollAndFinish(
  session: Session,
  run: Run,
  start: RolloutState,
  goal: Goal,
  previous: ReadonlyMap<number, StoredRelease>,
  stop: AbortSignal,
): Promise<DeployResult> {
  const { ports, members, release } = session;
  const report = reportTo(ports);
  const skipped = skippedRows(session);
  session.underway = true;
  const observedAt = ports.clock.now();
  const { probe, message } = await session.probe;
  if (message !== undefined) inform(ports, message);
  try {
    await raise(session, 'deploy', {}, stop);
  } catch (error) {
    const { message, hint } = asDeployError(error);
    // The end of an interrupted run has no error that could say what goes on.
    if (session.options.interrupted.aborted) warn(ports, hint === undefined ? message : `${message} ${hint}`);
    stopIfInterrupted(session);
    throw error;
  }
  stopIfInterrupted(session);
  await forgetPostDeploy(session, goal);
  // A migration may take minutes: then the first batch needs an observation of its own.
  const isOld = ports.clock.now() - observedAt > FRESH_MS;
  report({ type: 'phase-started', phase: 'roll' });
  session.rolling = true;
  const watch = new RolloutWatch(run, watchedIn(session, probe), session.options.interrupted);
  let probes: Probes | undefined;
  const rolled = await rollAll(
    session,
    run,
    isOld ? { ...start, observed: false } : start,
    goal,
    previous,
    stop,
    watch,
  ).finally(async () => {
    probes = await watch.stop();
  });
  const { environment } = run.settings;
  const durationMs = ports.clock.now() - session.startedAt;
  const rows = [...rowsOf(rolled.state, members, goal), ...skipped];
  const ended = { ...askedOf(session), rows, release, durationMs };
  const state = rolled.state;
  const error = rolled.error ?? (await failureAfterRolling(session, goal, state));
  if (!state.halted) await forgetCanary(session, run);
  const result = withCanary(session, run, { ...resultOf({ ...rolled, ...ended, error }), probes });
  if (state.halted) {
    await writeHistoryWithoutLock(run, members, session.options.ends ?? session.command, goal.release, result);
    return result;
  }
  report({ type: 'phase-started', phase: 'finish' });
  await writeHistoryAndPrune(run, members, session.options.ends ?? session.command, goal, result);
  const joined = await reportNewcomers(run, session.fleetAtStart, rolled.state);
  return joined ? { ...result, next: result.next ?? `do-deploy adopt ${environment}` } : result;
}

/** `rollback` and `heal` lead away from what fails: no gate is asked, and the probe only counts. */
function watchedIn(session: Session, probe: Probe | undefined): Watched {
  const { gates = [] } = session.options.settings.rollout;
  const isAsked = session.command === 'deploy' || session.command === 'adopt';
  const variables = { ...variablesOf(payloadOf(session, 'deploy', {})), DO_DEPLOY_EVENT: 'gate' };
  if (isAsked) return { gates, variables, probe };
  return { gates: [], variables, probe: probe && { ...probe, maxFailures: undefined } };
}

/** Raises post_deploy once every droplet runs its release. */
async function failureAfterRolling(
  session: Session,
  goal: Goal,
  state: RolloutState,
): Promise<DeployError | undefined> {
  // Droplets that were left out have another release: what assumes one everywhere must wait.
  if (!isComplete(state) || session.part !== undefined || (session.run?.away ?? []).length > 0) return undefined;
  try {
    await postDeploy(session, goal);
    return undefined;
  } catch (error) {
    return asDeployError(error);
  }
}

function nothingToDo({ command, members, part }: Session, run: Run, release: StoredRelease): string {
  const held = canaryHeld(run, members);
  if (command === 'adopt' && held !== undefined) {
    return `Every droplet without the canary runs release ${release.id}. ${heldSentence(held)}`;
  }
  if (part !== undefined) return `The droplets that it was to be held on already run release ${release.id}.`;
  const isBalanced = run.target.healthCheck !== undefined;
  const some = run.away !== undefined && run.away.length > 0;
  const all = members.length === 1 ? 'The droplet runs' : `All ${members.length} droplets run`;
  if (command === 'adopt') return `${some ? 'Every droplet that was reached runs' : all} release ${release.id}.`;
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
  run: Run,
  start: RolloutState,
  goal: Goal,
  previous: ReadonlyMap<number, StoredRelease>,
  stop: AbortSignal,
  watch: RolloutWatch,
): Promise<Rolled> {
  return await roll(run, session.members, start, {
    releaseFor: (droplet) => goalFor(goal, droplet),
    previous,
    interrupted: session.options.interrupted,
    aborted: stop,
    watch,
    events: {
      beforeLeave: (droplet) => raise(session, 'before_leave', { droplet }, stop),
      afterRejoin: (droplet) => raise(session, 'after_rejoin', { droplet }, stop),
      afterBatch: (batch) => raise(session, 'after_batch', { batch }, stop),
    },
    onState: (state) => reportChangedRows(session, state, goal),
  });
}

function reportChangedRows(session: Session, state: RolloutState, goal: Goal): void {
  const before = session.rows;
  const skipped = session.rows.filter(({ outcome }) => outcome === 'skipped');
  session.rows = [...rowsOf(state, session.members, goal), ...skipped];
  const report = reportTo(session.ports);
  for (const [index, row] of session.rows.entries()) {
    if (!isSameRow(row, before[index])) report({ type: 'row-changed', row });
  }
}
