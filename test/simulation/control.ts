/** What a run has said of its pauses, its bake and what it watches: m of the properties in monitor.ts. */
import type { DeployEvent } from '../../src/rollout/model.js';
export class Control {
  /** When the last droplet was done. */
  #doneAt = 0;
  #changedInBatch = false;
  #changed = false;
  #failed = false;
  #watchFailed = false;

  /** The gate has said no as often as it may. */
  gateFails(): void {
    this.#watchFailed = true;
  }

  /**
   * What is wrong with the event, in words.
   * @param tag of the release that the run brings
   */
  see(
    event: DeployEvent,
    now: number,
    { pauseMs, bakeMs }: { pauseMs: number; bakeMs: number },
    tag: string | undefined,
  ): string[] {
    const since = now - this.#doneAt;
    switch (event.type) {
      case 'batch-started': {
        const isEarly = this.#changedInBatch && !this.#failed && since < pauseMs;
        this.#changedInBatch = false;
        return isEarly ? [`begins batch ${event.batch} after a pause of ${since} ms`] : [];
      }
      case 'step-started': {
        if (event.step !== 'switch') return [];
        this.#changedInBatch = true;
        this.#changed = true;
        const isNew = event.release?.endsWith(`-${tag}`) === true;
        return isNew && this.#watchFailed ? [`brings the release to ${event.droplet} after it has failed`] : [];
      }
      case 'step-finished':
        if (event.step === 'clear') this.#doneAt = now;
        return [];
      case 'step-failed':
        this.#failed = true;
        return [];
      case 'watch-failed':
        this.#failed = true;
        this.#watchFailed = true;
        return [];
      case 'rollout-finished': {
        const isEarly = event.result.outcome === 'succeeded' && this.#changed && since < bakeMs;
        const isGood = event.result.outcome === 'succeeded' && this.#watchFailed;
        return [
          ...(isEarly ? [`is done after a bake of ${since} ms`] : []),
          ...(isGood ? ['succeeds, although what it watched has failed'] : []),
        ];
      }
      default:
        return [];
    }
  }
}
