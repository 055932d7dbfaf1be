/**
 * How silence at a droplet proves that the balancer has let go of it. docs/safety.md states the rule.
 *
 * Only the counters prove anything, and only where they have heard this balancer while the droplet served. Two things
 * are proof, and both must lie after DigitalOcean showed that the droplet has left:
 *  1. a missing check: nothing at all arrived by the time when every node's next check was due;
 *  2. a missing share: droplets that stay heard so many connections that this one's usual share of them is missing.
 */
import type { TrafficRecord } from './traffic-record.js';

/** A share is missing when the chance of that is e to the power of minus this: 2 in 1,000 million. */
const SURE = 20;

export interface Checks {
  intervalMs: number;
  /** The longest time between two checks of a node (`checkWindow`). */
  windowMs: number;
  nodes: number;
}

/**
 * By when a check is missing, if nothing arrives until then. A node checks at least once in every window; where only one
 * does, and the time of one of its checks is known, the next ones are due at multiples of the interval.
 */
export function checkDueBy(traffic: TrafficRecord, shownAt: number, { intervalMs, windowMs }: Checks): number {
  const since = Math.max(shownAt, traffic.lastArrivalAt);
  const check = traffic.lastCheck(windowMs);
  if (check === undefined) return since + windowMs;
  const next = Math.max(1, Math.ceil((since - check.after) / intervalMs));
  return Math.min(since + windowMs, check.at + next * windowMs);
}

/** Whether so much used to arrive that a missing share shows sooner than a missing check. */
export function isBusy(traffic: TrafficRecord, leftAt: number, { windowMs, nodes }: Checks): boolean {
  const heard = traffic.atLeast(traffic.from, leftAt);
  return heard * windowMs >= SURE * nodes * (leftAt - traffic.from);
}

/**
 * Whether the droplet's share of what arrived since is missing. Of all connections before it left, its own and the
 * others' over the same time, this droplet's share is known only as well as their number allows; so the more, the fewer
 * there were (Laplace's rule of succession). Only for a balancer that sends each connection to any droplet.
 * @param others droplets that stay in rotation
 * @param leftAt when DigitalOcean was asked to take the droplet out
 */
export function isShareMissing(
  traffic: TrafficRecord,
  others: readonly TrafficRecord[],
  { leftAt, shownAt, nodes }: { leftAt: number; shownAt: number; nodes: number },
): boolean {
  const from = Math.max(traffic.from, Math.min(...others.map((other) => other.from)));
  const since = Math.max(shownAt, traffic.lastArrivalAt);
  let heard = 0;
  let before = 0;
  let after = 0;
  for (const other of others) {
    const known = other.from <= from ? other.atMost(from, leftAt) : undefined;
    if (known === undefined) continue;
    heard += 1;
    before += known;
    after += other.atLeast(since, traffic.until);
  }
  if (heard === 0 || after < SURE * heard * nodes) return false;
  return chanceOfNone(traffic.atLeast(from, leftAt), before, after / nodes) <= -SURE;
}

/** The logarithm of the chance that of `after` connections none is one's own, of which there were `own` beside `others`. */
function chanceOfNone(own: number, others: number, after: number): number {
  let chance = 0;
  for (let count = 1; count <= own + 1; count += 1) chance += Math.log((others + count) / (others + after + count));
  return chance;
}
