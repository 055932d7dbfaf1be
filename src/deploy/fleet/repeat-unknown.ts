import { CloudError } from '../../errors.js';

const TRIES = 3;

/** Repeats an idempotent change while its answer is lost. Throws CloudError, or what the change throws. */
export async function repeatUnknown(change: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof CloudError) || error.outcome !== 'unknown' || attempt === TRIES) throw error;
    }
  }
}
