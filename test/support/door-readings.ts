/** Readings of the traffic at a droplet. */
import type { TrafficReading } from '../../src/deploy/drain/traffic-command.js';

export const counted = (count: number, overrides: Partial<TrafficReading> = {}): TrafficReading => ({
  counted: count,
  established: 0,
  peers: new Set(),
  strangers: new Set(),
  ...overrides,
});
export const sockets = (...peers: string[]): TrafficReading => ({
  established: 0,
  peers: new Set(peers),
  strangers: new Set(),
});
