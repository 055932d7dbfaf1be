/** Share of the time waited so far, so that a long wait polls less and less often. */
const BACKOFF = 0.05;

/** How long to pause before the next poll, in ms. */
export function pollPause(waitedMs: number, shortestMs: number): number {
  return Math.max(shortestMs, waitedMs * BACKOFF);
}
