/** Puts the droplet back into the balancer; done when DigitalOcean shows it. */
import { effectLag } from '../drain/balancer-timing.js';
import { TrafficRecord } from '../drain/traffic-record.js';
import type { Member } from '../droplet/member.js';
import type { StepContext, StepResult } from './run.js';

export async function rejoinRotation(member: Member, run: StepContext): Promise<StepResult> {
  const contact = run.contacts.of(member);
  // The containers are those that were just found healthy: what arrives at them is counted from here on.
  contact.traffic = new TrafficRecord();
  await run.contacts.listen(member);
  let shown = false;
  try {
    await run.target.rejoin(member.droplet.id, () => run.lease.ensure(member.droplet.id));
    shown = true;
    return {};
  } finally {
    // Should settling fail, it does not count as serving before the balancer must have seen it healthy.
    contact.servesFrom = run.contacts.servesBy(member) + effectLag(shown && contact.leaving?.shown !== false);
  }
}
