import type { Member } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';

/** The release that a rollout brings each droplet to. */
export interface Goal {
  /** For the report and the history; for every droplet without one of its own. */
  release: StoredRelease;
  /** By droplet id, where droplets do not all get the same one. Droplets that have none are left as they are. */
  own?: ReadonlyMap<number, StoredRelease>;
}

export function goalFor({ release, own }: Goal, droplet: number): StoredRelease {
  return own?.get(droplet) ?? release;
}

/** Where roles have goals of their own, which differ in their services: that of every droplet. */
export function goalOfAll(shares: readonly { members: readonly Member[]; goal: Goal }[]): Goal {
  const [first, ...others] = shares;
  if (first === undefined) throw new Error('a rollout has at least one goal');
  const { release, own } = first.goal;
  if (others.length === 0) return { release, own };
  const all = shares.flatMap(({ members, goal }) =>
    members
      .filter(({ droplet }) => goal.own?.has(droplet.id) ?? true)
      .map(({ droplet }) => [droplet.id, goalFor(goal, droplet.id)] as const),
  );
  return { release, own: new Map(all) };
}
