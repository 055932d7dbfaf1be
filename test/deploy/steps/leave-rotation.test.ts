/** When the balancer may let go: not before the last attempt to take the droplet out. */
import { expect, it } from 'vitest';
import type { Leaving } from '../../../src/deploy/drain/balancer-contact.js';
import { Contacts } from '../../../src/deploy/drain/contacts.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { leaveRotation } from '../../../src/deploy/steps/leave-rotation.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const TOOK_MS = 30_000;

function aLeaving(end: 'shown' | 'asked' | Error, before?: Leaving) {
  const clock = new VirtualClock({ start: 0 });
  const leave = async () => {
    await clock.sleep(TOOK_MS);
    if (end instanceof Error) throw end;
    return end;
  };
  const member = { droplet: { id: 1 } } as Member;
  const target = { leave };
  const contacts = new Contacts(target as never, clock, 'shop');
  contacts.of(member).leaving = before;
  const left = clock.run(leaveRotation(member, { ports: { clock }, target, contacts } as unknown as StepContext));
  return { contact: contacts.of(member), left };
}

it('knows that DigitalOcean has shown it, and when', async () => {
  const { contact, left } = aLeaving('shown');
  await left;
  expect(contact.leaving).toEqual({ askedAt: 0, at: TOOK_MS, shown: true, unsettled: false, letGo: false });
});

it('knows that DigitalOcean has shown nothing where the droplet was on its way in', async () => {
  const { contact, left } = aLeaving('asked');
  await left;
  expect(contact.leaving).toMatchObject({ at: TOOK_MS, shown: false });
});

it('counts from the end of the attempts when it failed: the last one may still take effect', async () => {
  const { contact, left } = aLeaving(new Error('no answer'));
  await expect(left).rejects.toThrow('no answer');
  expect(contact.leaving).toMatchObject({ at: TOOK_MS, shown: false });
});

it('knows of a droplet that had come back and not settled', async () => {
  const { contact, left } = aLeaving('shown', { askedAt: -1, at: -1, shown: true, unsettled: false, letGo: true });
  await left;
  expect(contact.leaving).toMatchObject({ unsettled: true });
});
