/** Rollouts of roles, one after the other, as one rollout. Pure. */

import { isBaked } from './rests.js';
import type { RolloutState } from './rollout-state.js';

/** The state of all roles: what has happened to one of them has happened to the rollout. */
export function combined(states: readonly RolloutState[]): RolloutState {
  const [first, ...others] = states;
  if (first === undefined) throw new Error('a rollout has at least one role');
  if (others.length === 0) return first;
  const some = (is: (state: RolloutState) => boolean | undefined) => states.some((state) => is(state) === true);
  return {
    ...first,
    droplets: states.flatMap(({ droplets }) => droplets),
    batch: states.reduce((sum, { batch }) => sum + batch, 0),
    interrupted: some(({ interrupted }) => interrupted),
    stopped: some(({ stopped }) => stopped),
    halted: states.find(({ halted }) => halted)?.halted,
    stuck: states.find(({ stuck }) => stuck)?.stuck,
    revertingFleet: some(({ revertingFleet }) => revertingFleet),
    takingBack: some(({ takingBack }) => takingBack),
    watchFailed: some(({ watchFailed }) => watchFailed),
    baked: states.every(isBaked),
  };
}
