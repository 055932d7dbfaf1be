/** When the balancer may let go: not before the last try to take the droplet out. */
import { expect, it } from 'vitest';
import type { StepContext } from '../../src/deploy/context.js';
import type { Site } from '../../src/deploy/site.js';
import { leaveRotation } from '../../src/deploy/steps/leave.js';
import { VirtualClock } from '../support/virtual-clock.js';

const TOOK_MS = 30_000;

function aLeaving(end: 'shown' | Error) {
  const clock = new VirtualClock({ start: 0 });
  const leave = async () => {
    await clock.sleep(TOOK_MS);
    if (end instanceof Error) throw end;
    return end;
  };
  const site = { droplet: { id: 1 } } as Site;
  const left = clock.run(leaveRotation(site, { ports: { clock }, target: { leave } } as unknown as StepContext));
  return { site, left };
}

it('tells that DigitalOcean has shown it, and when', async () => {
  const { site, left } = aLeaving('shown');
  await left;
  expect(site.leaving).toEqual({ how: 'shown', at: TOOK_MS });
});

it('counts from the end of the tries when it failed: the last one may still take effect', async () => {
  const { site, left } = aLeaving(new Error('no answer'));
  await expect(left).rejects.toThrow('no answer');
  expect(site.leaving).toEqual({ how: 'asked', at: TOOK_MS });
});
