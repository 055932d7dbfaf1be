/** How long a balancer takes: for its health checks, and to act on a change. */
/** How much later than DigitalOcean shows a change its data plane may follow, where nothing can be heard of it; in ms. */
export const EFFECT_LAG_MS = 5_000;

/** How late a change may take effect that DigitalOcean was asked for and has not shown, in ms. */
export const UNSHOWN_LAG_MS = 30_000;

/** How late a balancer's check may come beyond its interval, in ms. */
export function lateness(intervalMs: number): number {
  return 500 + intervalMs * 0.1;
}

/** After so long without a check the balancer makes none any more, in ms. */
export function untilChecksStopped(intervalMs: number): number {
  return intervalMs + lateness(intervalMs);
}

/** How long a number of the balancer's checks may take, one after the other: each a little late, and the last one too. */
export function checksWithin(count: number, intervalMs: number): number {
  return count * (intervalMs + Math.max(200, intervalMs * 0.05)) + 500;
}
