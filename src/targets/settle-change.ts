/** Makes a membership change take hold even if the answer is lost: change, read back, change again if necessary. */
import { CloudError, DeployError } from '../errors.js';
import type { Clock } from '../ports.js';

export interface Change {
  /** For people: "web-1 out of load balancer web". */
  what: string;
  /** Asks DigitalOcean for it. */
  apply(): Promise<void>;
  /** What DigitalOcean shows. */
  read(): Promise<{ shown: boolean; balancerStatus: string }>;
}

/** How long DigitalOcean may take to show a change that it accepted, in ms. */
const SHOWN_WITHIN_MS = 120_000;
const TRIES = 4;

/**
 * Returns when the change shows. After a lost answer, a 404 or a 422, what DigitalOcean shows decides. Throws DeployError
 * change-not-shown after two minutes, or the last CloudError.
 */
export async function settleChange(change: Change, clock: Clock): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await change.apply();
      break;
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      const undecided = error.outcome === 'unknown' || error.kind === 'not-found' || error.kind === 'unprocessable';
      if (!undecided) throw error;
      if (await showsBeforeLong(change, clock)) return;
      if (attempt === TRIES) throw error;
    }
  }
  const deadline = clock.now() + SHOWN_WITHIN_MS;
  // Most changes show immediately; for the others, asking more often would cost calls and gain little.
  for (let pause = 1_000; ; pause = Math.min(pause * 2, 4_000)) {
    const { shown, balancerStatus } = await change.read();
    if (shown) return;
    if (clock.now() >= deadline) {
      const still = balancerStatus === 'active' ? '' : `: the load balancer is ${balancerStatus}`;
      throw new DeployError(
        'change-not-shown',
        `DigitalOcean accepted ${change.what}, but did not show it within two minutes${still}.`,
        {
          hint: 'Check the load balancer in the control panel; when it is active, run do-deploy again.',
        },
      );
    }
    await clock.sleep(pause);
  }
}

/** After a lost answer: the change may be applied but not shown yet. */
async function showsBeforeLong(change: Change, clock: Clock): Promise<boolean> {
  for (const pause of [0, 500, 1_500]) {
    await clock.sleep(pause);
    if ((await change.read()).shown) return true;
  }
  return false;
}
