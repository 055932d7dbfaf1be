/** Takes the droplet out of the balancer; done when DigitalOcean shows it. */
import type { Member } from '../droplet/member.js';
import type { StepContext, StepResult } from './run.js';

export async function leaveRotation(member: Member, run: StepContext): Promise<StepResult> {
  const { clock } = run.ports;
  const contact = run.contacts.of(member);
  const askedAt = clock.now();
  const unsettled = contact.leaving !== undefined;
  let shown = false;
  contact.leaving = { askedAt, at: askedAt, shown, unsettled, letGo: false };
  try {
    shown = (await run.target.leave(member.droplet.id, () => run.lease.ensure(member.droplet.id))) === 'shown';
    return {};
  } finally {
    // Unless it was shown, the last attempt may be the one that takes effect.
    contact.leaving = { askedAt, at: clock.now(), shown, unsettled, letGo: false };
  }
}
