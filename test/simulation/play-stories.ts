import { expect } from 'vitest';
import type { Player } from './transpiled.js';

export const FIRST_SEED = 1_001;

export function seedsFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** Plays stories, each of which must keep every promise. Returns what they held. */
export async function playStories(
  runSeed: Player['runSeed'],
  seeds: readonly number[],
): Promise<{ rollouts: number; happened: Map<string, number> }> {
  const happened = new Map<string, number>();
  let rollouts = 0;
  for (const seed of seeds) {
    const report = await runSeed(seed);
    rollouts += report.rollouts;
    const rules = report.violations.map(({ rule }) => rule);
    expect(rules, `seed ${seed}; see it: npm run simulate -- --replay ${seed}`).toEqual([]);
    for (const [what, count] of report.happened) happened.set(what, (happened.get(what) ?? 0) + count);
  }
  return { rollouts, happened };
}
