/** Which release a fleet is healed to. Pure. */

export interface Holding {
  /** Ids of the releases that are whole on the droplet. */
  holds: readonly string[];
  /** What its containers are, or were about to become. */
  state?: { release: string; phase: 'switching' | 'verified'; since: string };
  /** The last one that was verified on it. */
  current?: string;
}

/**
 * The latest intent that has been proven. Each droplet tells what it was last switched to, when, and whether the gates
 * passed. Of these, latest first, the first release counts that some droplet runs verified and every droplet holds:
 *  - killed at the first droplet: nobody has proven the new release, so the fleet goes back to the old one;
 *  - killed later: the droplets before have proven it, so the rollout is completed;
 *  - killed while going back: going back was the latest intent, so all go back.
 * Where nothing was ever verified (a first deploy), the latest intent that every droplet holds.
 */
export function chooseRelease(droplets: readonly Holding[]): string | undefined {
  const states = droplets.flatMap((droplet) => droplet.state ?? []);
  const former = droplets.flatMap((droplet) => droplet.current ?? []);
  const latestFirst = [...states].sort((a, b) => (a.since < b.since ? 1 : -1)).map((state) => state.release);
  const heldByAll = [...latestFirst, ...former].filter((release) =>
    droplets.every((droplet) => droplet.holds.includes(release)),
  );
  const proven = states.filter((state) => state.phase === 'verified').map((state) => state.release);
  const verified = new Set([...proven, ...former]);
  if (verified.size === 0) return heldByAll[0];
  return heldByAll.find((release) => verified.has(release));
}

/**
 * The fleet's release: the latest intent that has been proven, also where a droplet does not hold it, because it came
 * later or was restored. What the others are compared with and brought to.
 */
export function provenRelease(droplets: readonly Holding[]): string | undefined {
  const held = new Set(droplets.flatMap((droplet) => droplet.holds));
  const states = droplets.flatMap((droplet) => droplet.state ?? []);
  const former = droplets.flatMap((droplet) => droplet.current ?? []);
  const proven = states.filter((state) => state.phase === 'verified').map((state) => state.release);
  const verified = new Set([...proven, ...former]);
  const latestFirst = [...states].sort((a, b) => (a.since < b.since ? 1 : -1)).map((state) => state.release);
  return [...latestFirst, ...former].find((release) => verified.has(release) && held.has(release));
}
