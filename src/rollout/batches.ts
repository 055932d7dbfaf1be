/** Sizes of batches and the capacity floor. Pure. */

/** `1`, `5`, `25%` or `all`, as config/deploy.yml has them. */
export type BatchSize = number | `${number}%` | 'all';

/** How many droplets a batch size means in a fleet of `fleetSize`: at least 1, a percentage rounded down. */
export function dropletsInBatch(size: BatchSize, fleetSize: number): number {
  if (size === 'all') return Math.max(1, fleetSize);
  const count = typeof size === 'number' ? size : Math.floor((Number.parseFloat(size) / 100) * fleetSize);
  return Math.max(1, Math.min(count, fleetSize));
}

/** The size of the batch with this number (from 0): a list grows from batch to batch and its last entry repeats. */
export function batchSize(sizes: readonly BatchSize[], batch: number, fleetSize: number): number {
  const size = sizes[Math.min(batch, sizes.length - 1)] ?? 1;
  return dropletsInBatch(size, fleetSize);
}

/** The fewest droplets that must serve at any moment: as set, else all but the batch, and never fewer than 1. */
export function capacityFloor(minInRotation: number | undefined, fleetSize: number, batch: number): number {
  return minInRotation ?? Math.max(1, fleetSize - batch);
}
