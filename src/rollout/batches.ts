/** Sizes of batches and the capacity floor. Pure. */

/** `1`, `5`, `25%` or `all`, as in config/deploy.yml. */
export type BatchSize = number | `${number}%` | 'all';

/** The number of droplets of a batch size in a fleet: at least 1, a percentage rounded down. */
function dropletsInBatch(size: BatchSize, fleetSize: number): number {
  if (size === 'all') return Math.max(1, fleetSize);
  const count = typeof size === 'number' ? size : Math.floor((Number.parseFloat(size) / 100) * fleetSize);
  return Math.max(1, Math.min(count, fleetSize));
}

/** The size of a batch, numbered from 0: each batch has its entry in the list, and the last entry repeats. */
export function batchSize(sizes: readonly BatchSize[], batch: number, fleetSize: number): number {
  const size = sizes[Math.min(batch, sizes.length - 1)] ?? 1;
  return dropletsInBatch(size, fleetSize);
}

/** The number of batches that a rollout over the whole fleet takes. */
export function batchCount(sizes: readonly BatchSize[], fleetSize: number): number {
  let batches = 0;
  for (let left = fleetSize; left > 0; batches += 1) left -= batchSize(sizes, batches, fleetSize);
  return batches;
}

/** Minimum number of droplets that must serve at any time: as configured, or all but one batch, but at least 1. */
export function capacityFloor(minInRotation: number | undefined, fleetSize: number, batch: number): number {
  return minInRotation ?? Math.max(1, fleetSize - batch);
}
