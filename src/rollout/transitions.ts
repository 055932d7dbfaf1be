/** How the state of a rollout changes: `begin` when an action starts, `record` when something has happened. Pure. */
import { type Course, courseAfterFailure, endOf, type Failure, stepsOf, untouchedEnd } from './courses.js';
import { type Action, nextBatch } from './planner.js';
import {
  type DropletState,
  floorOf,
  isOnlyRecorded,
  isServingPlace,
  type Observed,
  type RolloutState,
  serving,
  untilHeld,
  waiting,
} from './rollout-state.js';

export type Occurrence =
  /** `sick`: a droplet that was done has fallen sick. */
  | { kind: 'observed'; droplets: Observed[]; sick?: { droplet: number; failure: Failure } | undefined }
  | { kind: 'observe-failed'; code: string }
  | { kind: 'done'; droplet: number }
  | { kind: 'failed'; droplet: number; failure: Failure }
  /** The pause, or the bake, has lasted its time. */
  | { kind: 'paused' }
  | { kind: 'baked' }
  /** A droplet that was done has fallen sick; without `sick`, a gate or the public probe has failed. */
  | { kind: 'watch-failed'; sick?: { droplet: number; failure: Failure } }
  | { kind: 'interrupted' }
  | { kind: 'stopped' }
  | { kind: 'halted'; code: string };

/** The state after an action has started. */
export function begin(state: RolloutState, action: Action): RolloutState {
  switch (action.kind) {
    case 'observe':
      return { ...state, observing: true };
    case 'wait':
    case 'bake':
      return { ...state, resting: action.kind };
    case 'batch':
      return {
        ...update(state, action.droplets, (droplet) =>
          startCourse(
            state,
            { ...droplet, foundOut: !isServingPlace(droplet.rotation), inBatch: state.batch + 1 },
            courseInBatch(state, droplet),
          ),
        ),
        batch: state.batch + 1,
        observed: false,
      };
    case 'step':
      return update(state, [action.droplet], (droplet) => ({
        ...droplet,
        running: action.step,
        before: { rotation: droplet.rotation, healthy: droplet.healthy, unasked: droplet.unasked },
        // Until the step has ended it counts as out.
        rotation: action.step === 'leave' || action.step === 'rejoin' ? 'unknown' : droplet.rotation,
        inLedger: droplet.inLedger || action.step === 'mark-out',
        touched: droplet.touched || action.step === 'switch',
        // What was known of its health was of the containers before.
        ...(action.step === 'switch' && { healthy: false, unasked: true }),
      }));
  }
}

function courseInBatch({ takingBack, policy }: RolloutState, droplet: DropletState): Course {
  if (!takingBack) return isOnlyRecorded(droplet) ? 'confirm' : 'forward';
  const { failure } = droplet;
  return failure === undefined
    ? 'back'
    : courseAfterFailure({ ...droplet, course: 'forward' }, failure, policy.onFailure);
}

/** The state after something has happened. */
export function record(state: RolloutState, occurrence: Occurrence): RolloutState {
  switch (occurrence.kind) {
    case 'observed':
      return occurrence.sick === undefined
        ? afterObservation(state, occurrence.droplets)
        : afterWatchFailed({ ...seenAs(state, occurrence.droplets), observed: false }, occurrence.sick);
    case 'observe-failed':
      // Without an observation no droplet may leave; none is in hand.
      return { ...state, observing: false, halted: { code: occurrence.code } };
    case 'done':
      return takeBackTheDone(update(state, [occurrence.droplet], (droplet) => ifRecalled(state, afterStep(droplet))));
    case 'failed':
      return afterFailure(state, occurrence.droplet, occurrence.failure);
    case 'paused':
      return state.resting === 'wait' ? { ...state, resting: undefined, pausedAfter: state.batch } : state;
    case 'baked':
      return state.resting === 'bake' ? { ...state, resting: undefined, baked: true } : state;
    case 'watch-failed':
      return afterWatchFailed({ ...state, resting: undefined }, occurrence.sick);
    case 'interrupted':
      return turnBackUntouched({ ...state, resting: undefined, interrupted: true });
    case 'stopped':
      return turnBackUntouched({ ...state, observing: false, resting: undefined, stopped: true });
    case 'halted':
      return { ...state, resting: undefined, halted: { code: occurrence.code } };
  }
}

function afterObservation(state: RolloutState, found: readonly Observed[]): RolloutState {
  const observed = seenAs(state, found);
  if (waiting(observed).length === 0 || untilHeld(observed) === 0 || nextBatch(observed).length > 0) return observed;
  return { ...observed, stuck: { serving: serving(observed), floor: floorOf(observed) } };
}

function seenAs(state: RolloutState, found: readonly Observed[]): RolloutState {
  const byId = new Map(found.map((droplet) => [droplet.id, droplet]));
  const droplets = state.droplets.map((droplet): DropletState => {
    const missing = { rotation: 'unknown' as const, healthy: false, unasked: true, gone: true };
    const { rotation, healthy, gone, unasked = false } = byId.get(droplet.id) ?? missing;
    return { ...droplet, rotation, healthy, unasked, gone };
  });
  return { ...state, droplets, observing: false, observed: true };
}

function afterStep(droplet: DropletState): DropletState {
  const step = droplet.running;
  const { running: _, ...idle } = droplet;
  const next: DropletState = {
    ...idle,
    todo: droplet.todo.slice(1),
    rotation: step === 'leave' ? 'out' : step === 'rejoin' ? 'in' : droplet.rotation,
    ...((step === 'settle' || step === 'health') && { healthy: true, unasked: false }),
    inLedger: step === 'clear' ? false : droplet.inLedger,
    examined: droplet.examined || step === 'evidence',
    ...(step === 'mark-out' && { unmarked: false }),
    ...(step === 'record-by-hand' && { takenOut: true }),
  };
  return next.todo.length > 0 ? next : { ...next, course: endOf(droplet.course) };
}

function afterFailure(state: RolloutState, id: number, failure: Failure): RolloutState {
  const failed = update(state, [id], (droplet) => {
    const { running: _, ...idle } = droplet;
    // Without its evidence the course continues.
    if (failure.step === 'evidence') return afterStep(droplet);
    const failing: DropletState = {
      ...idle,
      ...(failure.unchanged && droplet.before),
      failure: droplet.failure ?? failure,
      ...(failure.step === 'mark-out' && { unmarked: true }),
      ...(failure.blame === 'release' && { healthy: false, unasked: false }),
      touched: droplet.touched && !(failure.unchanged && droplet.course === 'forward'),
    };
    return startCourse(state, failing, courseAfterFailure(failing, failure, state.policy.onFailure));
  });
  if (failure.step === 'evidence') return failed;
  const stopping = turnBackUntouched(failed);
  return takeBackTheDone(condemns(state, id, failure) ? startReverting(stopping) : stopping);
}

/** Droplets in hand whose containers are unchanged go back as they are; the others finish their course. */
function turnBackUntouched(state: RolloutState): RolloutState {
  // One whose record by hand is being written is as good as out: what comes of it must not be a guess.
  const isUntouched = (d: DropletState) => d.course === 'forward' && !d.touched && d.running !== 'record-by-hand';
  const ids = state.droplets.filter(isUntouched).map((d) => d.id);
  return update(state, ids, (droplet) => startCourse(state, droplet, untouchedEnd(droplet)));
}

/** The release itself failed where it was being deployed. */
function condemns(state: RolloutState, id: number, failure: Failure): boolean {
  if (state.policy.onFailure !== 'revert-fleet' || failure.blame !== 'release' || state.interrupted) return false;
  return state.droplets.some((droplet) => droplet.id === id && droplet.course === 'forward' && droplet.touched);
}

/** `revert-fleet`: no further droplet starts, and those that have the release go back. */
function startReverting(state: RolloutState): RolloutState {
  return state.revertingFleet ? state : { ...startTakingBack(state), revertingFleet: true };
}

/** No further droplet starts. */
function startTakingBack(state: RolloutState): RolloutState {
  if (state.takingBack) return state;
  const ids = state.droplets.filter((droplet) => droplet.course === 'waiting').map((droplet) => droplet.id);
  const kept = update(state, ids, (droplet) => ({ ...droplet, course: 'kept' }));
  return { ...kept, takingBack: true, observed: false };
}

/**
 * A droplet that was done has fallen sick, or a gate or the probe has failed. These accuse no droplet: what goes back is the
 * batch that is in hand, or was the last. Under `stop`, what is in hand finishes its course.
 */
function afterWatchFailed(
  state: RolloutState,
  sick: Extract<Occurrence, { kind: 'watch-failed' }>['sick'],
): RolloutState {
  const { interrupted, takingBack, policy, batch } = state;
  if (interrupted || takingBack) return state;
  const failed = sick === undefined ? turnBackUntouched({ ...state, watchFailed: true }) : withSick(state, sick);
  if (policy.onFailure === 'revert-fleet') return takeBackTheDone(startReverting(recall(failed, batch)));
  return sick !== undefined || policy.onFailure === 'stop' ? failed : recall(failed, batch);
}

/** It waits for a batch of its own, under the floor like any other: it may serve again by then. */
function withSick(state: RolloutState, { droplet: id, failure }: { droplet: number; failure: Failure }): RolloutState {
  return update(startTakingBack(state), [id], (droplet) => ({
    ...droplet,
    failure,
    healthy: false,
    course: droplet.course === 'done' ? 'waiting' : droplet.course,
  }));
}

/** Those of the batch that have the release, or are about to, go back. */
function recall(state: RolloutState, batch: number): RolloutState {
  const ids = state.droplets
    .filter(
      (d) => d.inBatch === batch && d.touched && d.previous !== undefined && ['forward', 'done'].includes(d.course),
    )
    .map((droplet) => droplet.id);
  if (ids.length === 0) return state;
  return update(startTakingBack(state), ids, (droplet) => {
    const recalled = { ...droplet, recalled: true };
    return droplet.running === undefined ? ifRecalled(state, recalled) : recalled;
  });
}

function ifRecalled(state: RolloutState, droplet: DropletState): DropletState {
  if (!droplet.recalled) return droplet;
  const { recalled: _, ...rest } = droplet;
  if (droplet.course === 'forward') return startCourse(state, rest, 'back');
  return droplet.course === 'done' ? { ...rest, course: 'waiting' } : rest;
}

/**
 * While the fleet is being reverted, droplets that this run has deployed to are queued to go back, in batches and under the
 * same floor; also those whose course ends only now.
 */
function takeBackTheDone(state: RolloutState): RolloutState {
  if (!state.revertingFleet) return state;
  const ids = state.droplets
    .filter((d) => d.course === 'done' && d.touched && d.previous !== undefined)
    .map((d) => d.id);
  return update(state, ids, (droplet) => ({ ...droplet, course: 'waiting' }));
}

/** The state from which a rollout that is over is taken back: `revert-fleet`, because another role has failed. */
export function takeBack(state: RolloutState): RolloutState {
  return takeBackTheDone(startReverting({ ...state, observed: false, resting: undefined }));
}

function startCourse(state: RolloutState, droplet: DropletState, course: Course): DropletState {
  const steps = stepsOf(course, droplet, state.policy);
  // A step that is running ends first.
  const todo = droplet.running === undefined ? steps : [droplet.running, ...steps];
  return { ...droplet, todo, course: todo.length > 0 ? course : endOf(course) };
}

function update(
  state: RolloutState,
  ids: readonly number[],
  change: (droplet: DropletState) => DropletState,
): RolloutState {
  if (ids.length === 0) return state;
  return { ...state, droplets: state.droplets.map((d) => (ids.includes(d.id) ? change(d) : d)) };
}
