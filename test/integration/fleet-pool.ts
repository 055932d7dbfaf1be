/**
 * Fleets that many tests share: a test borrows one and returns it whole, on any release. A deploy mostly waits, so two run
 * in parallel per file; with vitest's three workers, that is what two cores can do without late checks.
 */
import { afterAll, vi } from 'vitest';
import type { RegionOptions } from '../../src/sandbox/region.js';
import { dropletState } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

export interface Borrowed {
  fleet: SandboxFleet;
  /** The version that all droplets run. */
  old: string;
  /** Another version. */
  next: string;
  /** Call if the fleet cannot be reused. */
  discard(): void;
}

const AT_ONCE = 2;

/** Allows for a busy machine. */
const PATIENCE_MS = 300_000;
const UNLIMITED = { perMinute: 1_000_000, perHour: 1_000_000 };
/**
 * Five checks a second, with a timeout that a busy machine does not reach. The balancer is slow to take a droplet down, so
 * requests that a deploy lets run into an unhealthy droplet fail visibly.
 */
const PATIENT_CHECKS = { intervalSeconds: 0.2, healthyThreshold: 2, unhealthyThreshold: 10, timeoutSeconds: 10 };

/** Call in a describe block. A fleet is discarded after a failed test. */
export function fleetPool(
  options: Partial<RegionOptions> = {},
): <T>(task: (borrowed: Borrowed) => Promise<T>) => Promise<T> {
  vi.setConfig({ maxConcurrency: AT_ONCE, testTimeout: PATIENCE_MS });
  const idle: SandboxFleet[] = [];
  afterAll(async () => {
    await Promise.all(idle.map((fleet) => fleet.stop()));
  });
  return async (task) => {
    const fleet = idle.pop() ?? (await newFleet(options));
    let wanted = true;
    let whole = false;
    const discard = () => {
      wanted = false;
    };
    try {
      const old = dropletState(fleet, 'web-1').version;
      const result = await task({ fleet, old, next: old === 'v1' ? 'v2' : 'v1', discard });
      whole = true;
      return result;
    } finally {
      if (whole && wanted) idle.push(fleet);
      else await fleet.stop();
    }
  };
}

async function newFleet(options: Partial<RegionOptions>): Promise<SandboxFleet> {
  const fleet = await SandboxFleet.start({ droplets: 2, limits: UNLIMITED, healthCheck: PATIENT_CHECKS, ...options });
  try {
    await fleet.deployFirst('v1');
    return fleet;
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}
