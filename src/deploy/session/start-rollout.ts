import { type Observed, type Policy, type RolloutState, record, type Starter, start } from '../../rollout/planner.js';
import { beforeCurrent, currentRelease, type Member } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';
/** The planner's start: what each droplet is now, under the lease, and whether it needs anything. */
export function startRollout(
  seen: readonly Observed[],
  policy: Policy,
  upToDate: ReadonlySet<number>,
  previous: ReadonlyMap<number, StoredRelease>,
  exempt: ReadonlySet<number> = new Set(),
): RolloutState {
  const starters = seen.map(({ id, rotation, healthy, inLedger, halfDone, away }): Starter => {
    const back = previous.get(id);
    return {
      id,
      rotation,
      healthy,
      inLedger,
      ...(inLedger && halfDone && { halfDone }),
      upToDate: upToDate.has(id),
      ...(back !== undefined && { previous: back.id }),
      ...((away || exempt.has(id)) && { exempt: true }),
    };
  });
  // The first batch starts from this very look.
  return record(start(policy, starters), { kind: 'observed', droplets: [...seen] });
}

/** The release to go back to, by droplet: the last verified one, unless it is the one being deployed. */
export function previousReleases(members: readonly Member[], target: StoredRelease): Map<number, StoredRelease> {
  const previous = new Map<number, StoredRelease>();
  for (const member of members) {
    const current = currentRelease(member);
    const before = member.survey.releases.find((release) => release.id === beforeCurrent(member));
    const back = current?.id === target.id ? before : current;
    if (back !== undefined && back.id !== target.id) previous.set(member.droplet.id, back);
  }
  return previous;
}
