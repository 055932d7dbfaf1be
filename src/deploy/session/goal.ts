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
