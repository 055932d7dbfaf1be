/** Readings of a droplet's traffic. */
import type { TrafficReading } from '../../src/deploy/drain/traffic-command.js';
import { TrafficRecord } from '../../src/deploy/drain/traffic-record.js';

/** @param strangers that show in the socket tables */
export const counted = (count: number, ...strangers: string[]): TrafficReading => {
  const all = { count, strangers: new Set(strangers) };
  return { all, checks: all, open: 0 };
};

export const UNREADABLE: TrafficReading = {};

/**
 * A record of readings every `everyMs`, each asked for 20 ms before its answer.
 * @param came how many connections have arrived by a time
 */
export function recordOf(came: (ms: number) => number, until: number, { from = 0, everyMs = 250 } = {}): TrafficRecord {
  const record = new TrafficRecord();
  for (let at = from; at <= until; at += everyMs) record.add(counted(came(at - 20)), at - 20, at);
  return record;
}

/** How many of these have come by a time. */
export const arrivals = (times: readonly number[]) => (ms: number) => times.filter((time) => time <= ms).length;
