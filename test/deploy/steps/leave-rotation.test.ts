/** When the balancer may let go: not before the last try to take the droplet out. */
import { expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { leaveRotation } from '../../../src/deploy/steps/leave-rotation.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const TOOK_MS = 30_000;

function aLeaving(end: 'shown' | Error) {
  const clock = new VirtualClock({ start: 0 });
  const leave = async () => {
    await clock.sleep(TOOK_MS);
    if (end instanceof Error) throw end;
    return end;
  };
  const member = { droplet: { id: 1 } } as Member;
  const left = clock.run(leaveRotation(member, { ports: { clock }, target: { leave } } as unknown as StepContext));
  return { member, left };
}

it('tells that DigitalOcean has shown it, and when', async () => {
  const { member, left } = aLeaving('shown');
  await left;
  expect(member.leaving).toEqual({ how: 'shown', at: TOOK_MS });
});

it('counts from the end of the tries when it failed: the last one may still take effect', async () => {
  const { member, left } = aLeaving(new Error('no answer'));
  await expect(left).rejects.toThrow('no answer');
  expect(member.leaving).toEqual({ how: 'asked', at: TOOK_MS });
});
