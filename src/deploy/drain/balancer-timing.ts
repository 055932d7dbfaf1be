/** How long a balancer takes to check a droplet and to act on a change. */

/** How long after DigitalOcean shows a change its data plane may take to follow, in ms. DigitalOcean documents no bound. */
export const EFFECT_LAG_MS = 5_000;

/** The same for a change that DigitalOcean accepted but never showed, in ms. */
export const UNSHOWN_LAG_MS = 30_000;

/**
 * Longest time between two health checks of one balancer node, in ms.
 * @param answerMs how long the droplet takes to answer a check: HAProxy starts an interval when the check before has ended
 */
export function checkWindow(intervalMs: number, answerMs: number): number {
  return intervalMs + 500 + intervalMs * 0.1 + 2 * answerMs;
}

export function effectLag(shown: boolean): number {
  return shown ? EFFECT_LAG_MS : UNSHOWN_LAG_MS;
}
