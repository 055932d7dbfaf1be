/** Takes the droplet out of the balancer; done when DigitalOcean shows it. */
import type { Member } from '../droplet/member.js';
import type { StepContext } from './run.js';
export async function leaveRotation(member: Member, run: StepContext): Promise<undefined> {
  const { clock } = run.ports;
  // Until it has shown, the last try may be the one that takes effect.
  let how: 'asked' | 'shown' = 'asked';
  member.leaving = { how, at: clock.now() };
  try {
    how = await run.target.leave(member.droplet.id, () => run.lease.ensure(member.droplet.id));
  } finally {
    member.leaving = { how, at: clock.now() };
  }
}
