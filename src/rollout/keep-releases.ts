/** Which releases a droplet keeps for a rollback. Pure. */

export interface HeldRelease {
  /** Starts with its time, so that ids sort by age. */
  id: string;
  /** Ids of its images. */
  images: readonly string[];
}

/**
 * What to remove so that exactly `keep` releases stay: first those in `needed` (the running one, the one before), then
 * those in `proven` (their gates have passed), then others, each the newest first. More stay only if more are needed. An
 * image is removed when only removed releases use it; one that is not identified by a digest stays.
 */
export function releasesToRemove(
  held: readonly HeldRelease[],
  { keep, needed, proven }: { keep: number; needed: readonly string[]; proven: ReadonlySet<string> },
): { releases: string[]; images: string[] } {
  const newestFirst = [...held].sort((a, b) => (a.id < b.id ? 1 : -1));
  const first = newestFirst.filter(({ id }) => needed.includes(id));
  const rest = newestFirst.filter(({ id }) => !needed.includes(id));
  const others = [...rest.filter(({ id }) => proven.has(id)), ...rest.filter(({ id }) => !proven.has(id))];
  const spare = Math.max(0, keep - first.length);
  const kept = [...first, ...others.slice(0, spare)];
  const old = others.slice(spare);
  const inUse = new Set(kept.flatMap(({ images }) => images));
  const images = [...new Set(old.flatMap((release) => release.images))];
  return {
    releases: old.map(({ id }) => id),
    images: images.filter((image) => !inUse.has(image) && image.startsWith('sha256:')),
  };
}
