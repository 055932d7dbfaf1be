/** Which releases a droplet keeps to go back to. Pure. */

export interface HeldRelease {
  /** Begins with its time, so that ids sort by age. */
  id: string;
  /** Ids of its images. */
  images: readonly string[];
}

/**
 * What is to be removed so that exactly `keep` releases stay: those of `needed` first (what runs, what ran before), then
 * those of `proven` (their gates have passed), of either the newest. More stay only where more are needed. An image goes
 * when a removed release ran it and no kept one does; one without a digest of its content is left alone.
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
