/** What is known of a rollout while it runs, and what can be asked of it: who serves, who waits, how many must stay. Pure. */
import { type BatchSize, batchSize, capacityFloor } from './batches.js';
import { type Course, type Failure, isInHand, type OnFailure, type PlannedStep } from './courses.js';
import type { Rotation } from './model.js';
import type { Rest, RestPolicy } from './rests.js';

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
  /** It got the release from an earlier run that has not baked it: that is made up for. */
  unbaked?: boolean;
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
  /** This run has changed its containers, or may have; or the run whose bake it goes on with. */
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
  takenOut?: boolean;
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
    const course = settled || starter.exempt ? 'done' : 'waiting';
    const touched = settled && starter.unbaked === true && !starter.exempt;
    return { ...starter, course, todo: [], ...UNTOUCHED, touched };
  });
  const calm = { observing: false, interrupted: false, revertingFleet: false, takingBack: false, watchFailed: false };
  return { policy, droplets, batch: 0, observed: false, pausedAfter: 0, baked: false, ...calm };
}

export function isServingPlace(rotation: Rotation): boolean {
  return rotation === 'in' || rotation === 'none';
}

export function isServing(droplet: { rotation: Rotation; healthy: boolean }): boolean {
  return isServingPlace(droplet.rotation) && droplet.healthy;
}

/** Its health is unknown: it may leave only if the others are enough. */
export function mayServe(droplet: DropletState): boolean {
  return isServingPlace(droplet.rotation) && droplet.unasked;
}

/** An earlier run died before its last step only: the droplet need not leave, so no capacity is needed. */
export function isOnlyRecorded(droplet: DropletState): boolean {
  return droplet.inLedger && droplet.upToDate && !droplet.touched && isServing(droplet);
}

/** It runs the release: it is done, or waits to be taken back. */
export function isDeployed(droplet: DropletState): boolean {
  return droplet.course === 'done' || (droplet.course === 'waiting' && droplet.touched);
}

/** Droplets still to be rolled; those that lower no capacity come first. */
export function waiting(state: RolloutState): DropletState[] {
  // One that is gone may be back at a later observation.
  const droplets = state.droplets.filter((droplet) => droplet.course === 'waiting' && !droplet.gone);
  return [...droplets.filter((droplet) => !lowersCapacity(droplet)), ...droplets.filter(lowersCapacity)];
}

export function lowersCapacity(droplet: DropletState): boolean {
  return isServing(droplet) && !isOnlyRecorded(droplet);
}

/** How many more droplets may get the release before the rollout is held. Droplets in hand count as if they had it. */
export function untilHeld({ policy: { holdAt }, droplets, takingBack }: RolloutState): number {
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

/** Nothing has failed, and nobody has stopped it. */
export function isUntroubled(state: RolloutState): boolean {
  const { droplets, interrupted, stopped, halted, stuck, takingBack, watchFailed } = state;
  if (interrupted || stopped || halted || stuck || takingBack || watchFailed) return false;
  return !droplets.some(({ failure }) => failure);
}

/** The release has failed on a droplet, or by what was watched. */
export function isCondemned({ watchFailed, droplets }: RolloutState): boolean {
  return watchFailed || droplets.some(({ failure }) => failure?.blame === 'release');
}

/** A canary is held: as many droplets as were wanted run the release, others wait for it, and all of these serve theirs. */
export function isHeld(state: RolloutState): boolean {
  return isFull(state) && isUntroubled(state) && leftOut(state).length === 0;
}

export function serving(state: RolloutState): number {
  return state.droplets.filter(isServing).length;
}

export function fleetSize(state: RolloutState): number {
  return state.droplets.filter((droplet) => !droplet.gone).length;
}

/** @param batch from 0; default: the next one */
export function sizeOfBatch(state: RolloutState, batch = state.batch): number {
  return batchSize(state.policy.batch, batch, fleetSize(state));
}

/** The fewest droplets that must serve while the batch is out. */
export function floorOf(state: RolloutState, batch = state.batch): number {
  const { policy } = state;
  if (policy.allowDowntime || !policy.isFleet) return 0;
  return capacityFloor(policy.minInRotation, fleetSize(state), sizeOfBatch(state, batch));
}
