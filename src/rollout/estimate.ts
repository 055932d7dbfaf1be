/** How long a rollout takes, by past ones. Pure. */
import type { HistoryEntry } from './model.js';

/** Of the newest. */
const MOST_RUNS = 10;

/**
 * The middle of what a droplet took in past runs of the command, times the droplets. Undefined without any such run.
 * @param history newest first
 */
export function estimate(
  history: readonly HistoryEntry[],
  command: string,
  droplets: number,
): { ms: number; runs: number } | undefined {
  const perDroplet = history
    .filter((entry) => entry.command === command && entry.outcome === 'succeeded' && entry.held === undefined)
    .flatMap(({ durationMs, droplets: took }) => (took?.length ? [durationMs / took.length] : []))
    .slice(0, MOST_RUNS)
    .sort((one, other) => one - other);
  const middle = perDroplet[Math.floor((perDroplet.length - 1) / 2)];
  if (middle === undefined || droplets === 0) return undefined;
  return { ms: Math.round(middle * droplets), runs: perDroplet.length };
}
