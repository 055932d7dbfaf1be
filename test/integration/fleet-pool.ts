/**
 * Some fleets that many tests share: a test borrows one, does what it likes, and gives it back whole, on whichever
 * release. A deploy mostly waits, so two run at once in a file; with vitest's three workers that is what two cores bear
 * without making checks late.
 */
import { afterAll, vi } from 'vitest';
import type { RegionOptions } from '../../src/sandbox/region.js';
import { dropletState } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

export interface Borrowed {
  fleet: SandboxFleet;
  /** The version that all droplets run, */
  old: string;
  /** and one that they do not. */
  next: string;
  /** It is not given back. */
  discard(): void;
}

const AT_ONCE = 2;

/** On a machine that has other things to do. */
const PATIENCE_MS = 300_000;
const UNLIMITED = { perMinute: 1_000_000, perHour: 1_000_000 };
/**
 * Five a second, but not failed for a busy machine. The balancer is slow to give a droplet up, so requests that a
 * deploy lets run into a sick one are seen, and not hidden by the balancer's own care.
 */
const PATIENT_CHECKS = { intervalSeconds: 0.2, healthyThreshold: 2, unhealthyThreshold: 10, timeoutSeconds: 10 };

/** To be called in a describe block. A fleet on which a test failed is thrown away. */
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
