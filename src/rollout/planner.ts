/**
 * Decides what a rolling deploy does next, and nothing else: order, batches, the capacity floor, whether to continue, go
 * back or stop. Pure: `decide` reads a state (rollout-state.ts), `record` returns the next one (transitions.ts). The
 * orchestrator performs the decisions.
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
import { isInHand, type PlannedStep } from './courses.js';
import { dueRest, type Rest } from './rests.js';
import {
  type DropletState,
  floorOf,
  isServing,
  lowersCapacity,
  mayServe,
  type Observed,
  type RolloutState,
  serving,
  sizeOfBatch,
  untilHeld,
  waiting,
} from './rollout-state.js';

export type Action =
  | { kind: 'observe' }
  | { kind: 'step'; droplet: number; step: PlannedStep; towards: 'new' | 'previous' | 'same' }
  | { kind: 'batch'; droplets: number[] }
  | Rest;

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

/** As many as the batch size and the floor allow. */
export function nextBatch(state: RolloutState): number[] {
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
