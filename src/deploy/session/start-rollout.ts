import { type Observed, type Policy, type RolloutState, type Starter, start } from '../../rollout/rollout-state.js';
import { record } from '../../rollout/transitions.js';
import { beforeCurrent, currentRelease, heldRelease, type Member } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';
import { type Goal, goalFor } from './goal.js';

/**
 * The planner's state at the start. The sets and keys are droplet ids.
 * @param upToDate droplets that run the release, verified
 * @param exempt droplets that are never taken out
 * @param unbaked what is up to date has got the release from a run that did not finish the bake
 */
export function startRollout(
  observed: readonly Observed[],
  policy: Policy,
  upToDate: ReadonlySet<number>,
  previous: ReadonlyMap<number, StoredRelease>,
  exempt: ReadonlySet<number> = new Set(),
  unbaked = false,
): RolloutState {
  const starters = observed.map(
    ({ id, rotation, healthy, inLedger, halfDone, away }): Starter => ({
      id,
      rotation,
      healthy,
      inLedger,
      halfDone: inLedger && halfDone,
      upToDate: upToDate.has(id),
      unbaked,
      previous: previous.get(id)?.id,
      exempt: away || exempt.has(id),
    }),
  );
  // The first batch starts from this observation.
  return record(start(policy, starters), { kind: 'observed', droplets: [...observed] });
}

/** By droplet id: the release to revert to, which is the last verified one other than its goal. */
export function previousReleases(members: readonly Member[], goal: Goal): Map<number, StoredRelease> {
  const previous = new Map<number, StoredRelease>();
  for (const member of members) {
    const target = goalFor(goal, member.droplet.id);
    const current = currentRelease(member);
    const back = current?.id === target.id ? heldRelease(member, beforeCurrent(member)) : current;
    if (back !== undefined && back.id !== target.id) previous.set(member.droplet.id, back);
  }
  return previous;
}
