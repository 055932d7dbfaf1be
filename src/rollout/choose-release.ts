/** Which release a fleet is brought to. Pure. */

export interface Holding {
  /** Ids of the releases that are complete on the droplet. */
  holds: readonly string[];
  /** The release that its containers run, or were being switched to. */
  state?: { release: string; phase: 'switching' | 'verified'; since: string };
  /** The last release that was verified on it. */
  current?: string;
}

/**
 * The latest release that is proven. Each droplet records which release it was last switched to, when, and whether the
 * gates passed. Of these, latest first, the first release wins that a droplet has verified and every droplet holds:
 *  - the deployer died at the first droplet: no droplet has proven the new release, so the fleet goes back to the old one;
 *  - it died later: earlier droplets have proven the new release, so the rollout is completed;
 *  - it died while going back: that was the latest intent, so all droplets go back.
 * If nothing was ever verified (a first deploy), the latest release that every droplet holds.
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
 * The fleet's release: the latest one that is proven, even if a droplet does not hold it because it joined later or was
 * restored. The other droplets are compared with it and brought to it.
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
