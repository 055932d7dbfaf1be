/** Readings at a droplet's door. */
import type { DoorReading } from '../../src/deploy/remote/door.js';

export const counted = (count: number, overrides: Partial<DoorReading> = {}): DoorReading => ({
  counted: count,
  established: 0,
  peers: new Set(),
  strangers: new Set(),
  ...overrides,
});
export const sockets = (...peers: string[]): DoorReading => ({
  established: 0,
  peers: new Set(peers),
  strangers: new Set(),
});
