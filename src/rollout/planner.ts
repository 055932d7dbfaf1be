/**
 * Decides what a rolling deploy does next, and nothing else: order, batches, the capacity floor, whether to continue, go
 * back or stop. Pure: `decide` reads a state, `record` returns the next one. The orchestrator performs the decisions.
 *
 * The rules, most important first:
 *  1. A droplet leaves only if enough droplets still serve afterwards (the floor), by an observation made just before.
 *  2. A droplet in rotation and healthy serves. One of unknown health does not count as serving, but leaves only if the
 *     floor holds as if it did.
 *  3. Droplets that do not serve go first: they raise the capacity before others lower it. So do those that serve the
 *     release and are only still recorded as out: they need not leave.
 *  4. Every droplet in hand walks its course step by step. A failure, an interruption or a lost lease changes courses
 *     (courses.ts), and then no further batch starts.
 *  5. Between batches there is a pause, and after the last one a bake (rests.ts). What fails there, and what a gate or the
 *     public probe says at any time, counts as the release's failure, and `onFailure` applies.
 */
import { type BatchSize, batchSize, capacityFloor } from './batches.js';
import {
  type Course,
  courseAfterFailure,
  endOf,
  type Failure,
  isInHand,
  type OnFailure,
  type PlannedStep,
  stepsOf,
  untouchedEnd,
} from './courses.js';
import type { Rotation } from './model.js';
import { dueRest, type Rest, type RestPolicy } from './rests.js';

export type { Failure, PlannedStep };

export interface Policy extends RestPolicy {
  batch: readonly BatchSize[];
  minInRotation?: number;
  onFailure: OnFailure;
  /** The floor may be broken: `--allow-downtime`. */
  allowDowntime: boolean;
  /** The rollout is held once so many droplets run the release: a canary. */
  holdAt?: number;
  /** Droplets are taken out by hand: they leave, and stay out as they are. Only with a balancer. */
  takesOut?: boolean;
  /** There is a balancer; without one there is nothing to leave or rejoin. */
  balanced: boolean;
  /**
   * Its droplets do the same work, with or without a balancer: there is a floor, and each is recorded while it changes. False:
   * a single droplet without a balancer.
   */
  isFleet: boolean;
}

/** A droplet as observed at the start. */
export interface Starter {
  id: number;
  rotation: Rotation;
  healthy: boolean;
  /** Recorded as out by an earlier run. */
  inLedger: boolean;
  /** An earlier run recorded it and stopped in the middle of a change: what it runs is not verified. */
  halfDone?: boolean;
  /** It runs the release already, verified. */
  upToDate: boolean;
  /** The release to go back to; absent on a first deploy. */
  previous?: string;
  /** Counts for the floor, but is never taken out, whatever its health. */
  exempt?: boolean;
}

export interface DropletState extends Starter {
  course: Course;
  /** Remaining steps of the course, the next one first. */
  todo: readonly PlannedStep[];
  running?: PlannedStep;
  /** What was known before the running step, for one that fails before it has changed anything. */
  before?: Pick<DropletState, 'rotation' | 'healthy' | 'unasked'>;
  /** This run has changed its containers, or may have. */
  touched: boolean;
  /** It was out when its turn came. */
  foundOut: boolean;
  /** Its first failure. */
  failure?: Failure;
  /** Its evidence was collected. */
  examined: boolean;
  /** Its health could not be observed, or is that of containers that are just starting. */
  unasked: boolean;
  /** It was taken out of the fleet meanwhile: it is left alone and no longer counts. */
  gone: boolean;
  /** The last batch that it was in, from 1. */
  inBatch?: number;
  /** Its mark could not be written. */
  unmarked?: boolean;
  /** It is recorded as taken out by hand. */
  held?: boolean;
  /** It goes back as soon as its running step has ended. */
  recalled?: boolean;
}

export interface RolloutState {
  policy: Policy;
  droplets: readonly DropletState[];
  /** Batches started so far. */
  batch: number;
  /** The observation for the next batch has been made. */
  observed: boolean;
  observing: boolean;
  interrupted: boolean;
  /** Something outside of the droplets failed: no further batch starts. */
  stopped?: boolean;
  /** Nothing may be changed any more: the lease is lost, or the grace period after an interruption is over. */
  halted?: { code: string };
  /** The floor allows no droplet to leave. */
  stuck?: { serving: number; floor: number };
  /** All droplets already done are being taken back. */
  revertingFleet: boolean;
  /** What still waits goes back: no further droplet gets the release. */
  takingBack: boolean;
  /** A gate or the probe has failed. */
  watchFailed: boolean;
  resting?: Rest['kind'];
  /** The batch that was followed by a pause, from 1. */
  pausedAfter: number;
  baked: boolean;
}

export type Action =
  | { kind: 'observe' }
  | { kind: 'step'; droplet: number; step: PlannedStep; towards: 'new' | 'previous' | 'same' }
  | { kind: 'batch'; droplets: number[] }
  | Rest;

export type Occurrence =
  | { kind: 'observed'; droplets: Observed[] }
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

/** A droplet as observed. */
export interface Observed {
  id: number;
  rotation: Rotation;
  healthy: boolean;
  /** Its health could not be observed: it does not count as serving, but may serve. */
  unasked?: boolean;
  inLedger: boolean;
  /** Its containers have begun to change and are not verified. */
  halfDone?: boolean;
  /** The run has no connection to it and leaves it as it is. */
  away?: boolean;
  gone: boolean;
}

const UNTOUCHED = { touched: false, foundOut: false, examined: false, unasked: false, gone: false } as const;

export function start(policy: Policy, starters: readonly Starter[]): RolloutState {
  const droplets = starters.map((starter): DropletState => {
    const settled = starter.upToDate && starter.healthy && !starter.inLedger && isServingPlace(starter.rotation);
    return { ...starter, course: settled || starter.exempt ? 'done' : 'waiting', todo: [], ...UNTOUCHED };
  });
  const calm = { observing: false, interrupted: false, revertingFleet: false, takingBack: false, watchFailed: false };
  return { policy, droplets, batch: 0, observed: false, pausedAfter: 0, baked: false, ...calm };
}

function isServingPlace(rotation: Rotation): boolean {
  return rotation === 'in' || rotation === 'none';
}

export function isServing(droplet: { rotation: Rotation; healthy: boolean }): boolean {
  return isServingPlace(droplet.rotation) && droplet.healthy;
}

/** Its health is unknown: it may leave only if the others are enough. */
function mayServe(droplet: DropletState): boolean {
  return isServingPlace(droplet.rotation) && droplet.unasked;
}

/** An earlier run died before its last step only: the droplet need not leave, so no capacity is needed. */
function isOnlyRecorded(droplet: DropletState): boolean {
  return droplet.inLedger && droplet.upToDate && !droplet.touched && isServing(droplet);
}

/** What to start now. The rollout is over when this is empty and nothing is running. */
export function decide(state: RolloutState): Action[] {
  if (state.halted) return [];
  const inHand = state.droplets.filter((droplet) => isInHand(droplet.course));
  if (inHand.length > 0) return inHand.flatMap(nextStep);
  if (!mayStartBatch(state)) return [];
  const left = Math.min(waiting(state).length, untilHeld(state));
  const rest = dueRest(state, left);
  if (rest !== undefined) return state.resting === undefined ? [rest] : [];
  if (left === 0) return [];
  if (!state.observed) return state.observing ? [] : [{ kind: 'observe' }];
  const droplets = nextBatch(state);
  return droplets.length === 0 ? [] : [{ kind: 'batch', droplets }];
}

function nextStep(droplet: DropletState): Action[] {
  const [step] = droplet.todo;
  if (droplet.running !== undefined || step === undefined) return [];
  const towards = droplet.course === 'back' ? 'previous' : droplet.course === 'return' ? 'same' : 'new';
  return [{ kind: 'step', droplet: droplet.id, step, towards }];
}

function mayStartBatch(state: RolloutState): boolean {
  if (state.stuck || state.interrupted || state.stopped) return false;
  return state.takingBack || !(state.watchFailed || state.droplets.some((droplet) => droplet.failure));
}

/** How many more droplets may get the release before the rollout is held. Droplets in hand count as if they had it. */
function untilHeld({ policy: { holdAt }, droplets, takingBack }: RolloutState): number {
  if (holdAt === undefined || takingBack) return Number.POSITIVE_INFINITY;
  const have = droplets.filter((droplet) => {
    const has = isDeployed(droplet) && (droplet.touched || droplet.upToDate);
    return !droplet.gone && (has || isInHand(droplet.course));
  });
  return Math.max(0, holdAt - have.length);
}

/** How many droplets are still to be rolled after those in hand. */
export function stillToCome(state: RolloutState): number {
  return Math.min(waiting(state).length, untilHeld(state));
}

/** As many droplets as were wanted run the release, or are about to, and others are left. */
export function isFull(state: RolloutState): boolean {
  return untilHeld(state) === 0 && waiting(state).length > 0;
}

/** Droplets that an earlier run has left out, or half-way, and that this one leaves as they are. */
export function leftOut(state: RolloutState): number[] {
  return isFull(state) ? waiting(state).flatMap(({ id, inLedger }) => (inLedger ? [id] : [])) : [];
}

/** A canary is held: as many droplets as were wanted run the release, others wait for it, and all of these serve theirs. */
export function isHeld(state: RolloutState): boolean {
  const { droplets, interrupted, stopped, halted, stuck, watchFailed } = state;
  if (!isFull(state) || interrupted || stopped || halted || stuck || watchFailed) return false;
  return leftOut(state).length === 0 && !droplets.some(({ failure }) => failure);
}

/** Droplets still to be rolled; those that lower no capacity come first. */
function waiting(state: RolloutState): DropletState[] {
  // One that is gone may be back at a later observation.
  const droplets = state.droplets.filter((droplet) => droplet.course === 'waiting' && !droplet.gone);
  return [...droplets.filter((droplet) => !lowersCapacity(droplet)), ...droplets.filter(lowersCapacity)];
}

function lowersCapacity(droplet: DropletState): boolean {
  return isServing(droplet) && !isOnlyRecorded(droplet);
}

/** The droplets that will most likely go next, once those in hand are on their way back. A guess, and no decision. */
export function upNext(state: RolloutState): number[] {
  const inHand = state.droplets.filter((droplet) => isInHand(droplet.course));
  const comeBack = inHand.every(({ todo }) => !todo.includes('switch'));
  if (inHand.length === 0 || !comeBack || state.halted || !mayStartBatch(state)) return [];
  return waiting(state)
    .slice(0, Math.min(sizeOfBatch(state), untilHeld(state)))
    .map((droplet) => droplet.id);
}

/** Droplets that serve while those in hand are out, the next ones to go first. None while no droplet is in hand. */
export function servingMeanwhile(state: RolloutState): number[] {
  if (state.halted || !state.policy.balanced || !state.droplets.some(({ course }) => isInHand(course))) return [];
  const staying = state.droplets.filter(({ course, gone }) => course !== 'waiting' && !isInHand(course) && !gone);
  return [...waiting(state), ...staying].filter(isServing).map(({ id }) => id);
}

/** As many as the batch size and the floor allow. */
function nextBatch(state: RolloutState): number[] {
  const size = Math.min(sizeOfBatch(state), untilHeld(state));
  let spare = serving(state) - floorOf(state);
  const chosen: number[] = [];
  for (const droplet of waiting(state)) {
    if (chosen.length === size) break;
    if (lowersCapacity(droplet)) {
      if (spare <= 0) break;
      spare -= 1;
    } else if (mayServe(droplet) && spare < 0) continue;
    chosen.push(droplet.id);
  }
  return chosen;
}

function serving(state: RolloutState): number {
  return state.droplets.filter(isServing).length;
}

function fleetSize(state: RolloutState): number {
  return state.droplets.filter((droplet) => !droplet.gone).length;
}

/** @param batch from 0; default: the next one */
function sizeOfBatch(state: RolloutState, batch = state.batch): number {
  return batchSize(state.policy.batch, batch, fleetSize(state));
}

/** The fewest droplets that must serve while the batch is out. */
export function floorOf(state: RolloutState, batch = state.batch): number {
  const { policy } = state;
  if (policy.allowDowntime || !policy.isFleet) return 0;
  return capacityFloor(policy.minInRotation, fleetSize(state), sizeOfBatch(state, batch));
}

/**
 * Whether a droplet that is about to leave still may, by an observation made since its batch was chosen of all droplets that
 * are not in hand. One that does not serve lowers no capacity.
 */
export function mayStillLeave(
  state: RolloutState,
  id: number,
  found: readonly Observed[],
): { serving: number; floor: number; may: boolean } {
  const inHand = new Set(state.droplets.filter(({ course }) => isInHand(course)).map((droplet) => droplet.id));
  const serving = found.filter((droplet) => !inHand.has(droplet.id) && isServing(droplet)).length;
  const floor = floorOf(state, state.batch - 1);
  const before = state.droplets.find((droplet) => droplet.id === id)?.before;
  const isSick = before !== undefined && !before.healthy && !before.unasked;
  return { serving, floor, may: isSick || serving >= floor };
}

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
      return afterObservation(state, occurrence.droplets);
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
  const byId = new Map(found.map((droplet) => [droplet.id, droplet]));
  const droplets = state.droplets.map((droplet): DropletState => {
    const missing = { rotation: 'unknown' as const, healthy: false, unasked: true, gone: true };
    const { rotation, healthy, gone, unasked = false } = byId.get(droplet.id) ?? missing;
    return { ...droplet, rotation, healthy, unasked, gone };
  });
  const observed = { ...state, droplets, observing: false, observed: true };
  if (waiting(observed).length === 0 || untilHeld(observed) === 0 || nextBatch(observed).length > 0) return observed;
  return { ...observed, stuck: { serving: serving(observed), floor: floorOf(observed) } };
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
    ...(step === 'hold' && { held: true }),
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
  const isUntouched = (d: DropletState) => d.course === 'forward' && !d.touched && d.running !== 'hold';
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

/** It runs the release: it is done, or waits to be taken back. */
export function isDeployed(droplet: DropletState): boolean {
  return droplet.course === 'done' || (droplet.course === 'waiting' && droplet.touched);
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
