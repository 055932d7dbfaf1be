/** The balancer or its droplets are changed by someone else during a deploy under load. */
import { describe, it } from 'vitest';
import { deployThrough, type FaultCase, titleOf } from './fault-case.js';
import { fleetPool } from './fleet-pool.js';
import type { SandboxFleet } from './sandbox-fleet.js';

const idOf = ({ region }: SandboxFleet, name: string) => region.droplet(name).id;

function balancerIs(status: 'active' | 'errored', fleet: SandboxFleet): void {
  fleet.region.world.balancer(fleet.region.balancerId).status = status;
}

/** Removes a droplet like a scale-in: waits until its requests are finished. */
async function destroyWhenIdle(fleet: SandboxFleet, name: string): Promise<void> {
  const id = idOf(fleet, name);
  await fleet.region.balancer.until((backends) => backends.every(({ dropletId }) => dropletId !== id), 60_000);
  await fleet.region.destroyDroplet(id);
}

const CASES: FaultCase[] = [
  {
    fault: 'a droplet is added to the balancer',
    at: { step: 'drain', droplet: 'web-1' },
    make: ({ region }) => region.world.addToBalancer(region.balancerId, [region.stagingDropletId]),
    notice: /staging joined .* was not deployed to; run do-deploy adopt sandbox/,
    fix: ({ region }) => region.world.removeFromBalancer(region.balancerId, [region.stagingDropletId]),
  },
  {
    fault: 'a waiting droplet is removed from the balancer',
    at: { step: 'clear', droplet: 'web-1' },
    make: (fleet) => fleet.region.world.removeFromBalancer(fleet.region.balancerId, [idOf(fleet, 'web-2')]),
    // It was removed on purpose, so it is not put back.
    fix: (fleet) => destroyWhenIdle(fleet, 'web-2'),
    spoils: true,
  },
  {
    fault: 'a waiting droplet is destroyed',
    at: { step: 'clear', droplet: 'web-1' },
    make: (fleet) => fleet.region.destroyDroplet(idOf(fleet, 'web-2')),
    spoils: true,
    cuts: 'web-2',
  },
  {
    fault: 'the current droplet is destroyed',
    at: { step: 'switch', droplet: 'web-1' },
    make: (fleet) => fleet.region.destroyDroplet(idOf(fleet, 'web-1')),
    fails: { code: 'ssh-lost', says: /web-1/ },
    spoils: true,
  },
  {
    fault: 'the balancer is errored for a few seconds',
    at: { step: 'leave', droplet: 'web-1' },
    make: (fleet) => {
      balancerIs('errored', fleet);
      setTimeout(() => balancerIs('active', fleet), 4_000);
    },
  },
  {
    fault: 'the balancer stays errored',
    at: { step: 'drain', droplet: 'web-1' },
    make: (fleet) => balancerIs('errored', fleet),
    fails: { code: 'change-not-shown', says: /load balancer is errored/ },
  },
];

describe('a balancer that someone else changes', () => {
  const withFleet = fleetPool();
  for (const one of CASES) {
    it.concurrent(titleOf(one), () => withFleet((borrowed) => deployThrough(one, borrowed)));
  }
});
