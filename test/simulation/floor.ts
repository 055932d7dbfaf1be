/** Batches and the capacity floor, told a second time and in other words than the product does. */
import type { Scenario } from './scenario.js';

/** How many droplets may be in hand at once. `batch` from 1. */
export function sizeFor(story: Scenario, fleet: number, batch: number): number {
  const { batch: sizes } = story.policy;
  const size = sizes[batch - 1] ?? sizes[sizes.length - 1] ?? 1;
  if (size === 'all') return fleet;
  return typeof size === 'number' ? size : Math.max(1, Math.floor((fleet * Number(size.slice(0, -1))) / 100));
}

/** How many must serve at least. `batch` from 1. */
export function floorFor(story: Scenario, fleet: number, batch: number): number {
  return story.policy.minInRotation ?? Math.max(1, fleet - sizeFor(story, fleet, batch));
}
