/** The capacity floor, told a second time and in other words than the product does. */
import type { Scenario } from './scenario.js';

/** @param batch from 1 */
export function floorFor(story: Scenario, fleet: number, batch: number): number {
  const { batch: sizes, minInRotation } = story.policy;
  if (minInRotation !== undefined) return minInRotation;
  const size = sizes[batch - 1] ?? sizes[sizes.length - 1] ?? 1;
  if (size === 'all') return 1;
  const count = typeof size === 'number' ? size : Math.max(1, Math.floor((fleet * Number(size.slice(0, -1))) / 100));
  return Math.max(1, fleet - count);
}
