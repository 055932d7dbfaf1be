/** Which release a droplet, or a fleet, is brought to. Pure. */

export interface Holding {
  /** Ids of the releases that are complete on the droplet. */
  holds: readonly string[];
  /** The release that its containers run, or were being switched to. */
  state?: { release: string; phase: 'switching' | 'verified'; since: string };
  /** The last release that was verified on it. */
  current?: string;
}

/**
 * The release for a droplet that a run left in the middle of a switch. If it was being switched to the release that it ran
 * before (a restart, or on its way back): that one. Otherwise, of those that it holds, the one that most droplets of the fleet
 * run, verified; of equally common ones, the one that was deployed last. So a rollout that was stopped early is taken back on
 * this droplet, and one that was almost done is completed on it; the other droplets stay as they are. Where no droplet runs
 * such a release: the last one that was verified on the droplet itself. Where nothing was ever verified (a first deploy): the
 * one that it was being switched to.
 * @param fleet includes the droplet
 * @param anchored ids of the releases that deployers have recorded, newest first
 */
export function releaseForHalfChanged(
  droplet: Holding,
  fleet: readonly Holding[],
  anchored: readonly string[] = [],
): string | undefined {
  const former = fleet.flatMap(({ current }) => current ?? []);
  const restarted = droplet.state?.release === droplet.current ? droplet.current : undefined;
  const verified = [
    ...(restarted === undefined ? [] : [restarted]),
    ...mostCommon(fleet, anchored),
    ...(droplet.current === undefined ? [] : [droplet.current]),
    ...former,
  ];
  const candidates = verified.length === 0 ? [droplet.state?.release] : verified;
  return candidates.find((release) => release !== undefined && droplet.holds.includes(release));
}

/**
 * The releases that droplets run, verified; of equally common ones, the one that was deployed last comes first: by the
 * anchors and, where they do not have it, by when it was verified.
 */
export function mostCommon(fleet: readonly Holding[], anchored: readonly string[] = []): string[] {
  const running = fleet.flatMap(({ state }) => (state?.phase === 'verified' ? [state] : []));
  const latestFirst = running.sort((a, b) => (a.since < b.since ? 1 : -1)).map(({ release }) => release);
  const count = (release: string) => latestFirst.filter((other) => other === release).length;
  const age = (release: string) => (anchored.includes(release) ? anchored.indexOf(release) : anchored.length);
  return [...new Set(latestFirst)].sort((a, b) => count(b) - count(a) || age(a) - age(b));
}

/**
 * Whether the newest anchor is believed. Not if more than half of the droplets run what was never anchored: an earlier
 * version of do-deploy may have deployed it, or the newest anchor may have been deleted.
 * @param running hash of the release of each droplet that runs one
 * @param anchored hashes
 */
export function isBelieved(running: readonly string[], anchored: readonly string[]): boolean {
  return running.filter((hash) => !anchored.includes(hash)).length * 2 <= running.length;
}

/**
 * The release of a fleet without anchors: the latest one that is proven, even if a droplet does not hold it because it
 * joined later or was restored. By the word of droplets and the clocks of deployers.
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
