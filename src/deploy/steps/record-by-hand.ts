/** Records that the droplet, which is out of rotation by now, was taken out by hand. */
import type { Member } from '../droplet/member.js';
import type { StepContext, StepResult } from './run.js';

export async function recordByHand({ droplet }: Member, run: StepContext): Promise<StepResult> {
  // If the run dies before this, the droplet is one that a run has left out, and `heal` puts it back.
  if (run.byHand !== undefined)
    await run.ledger.recordByHand(droplet.id, run.byHand, () => run.lease.ensure(droplet.id));
  return {};
}
