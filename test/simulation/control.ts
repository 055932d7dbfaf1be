/** What a run has said of its pauses, its bake and what it watches: m of the properties in monitor.ts. */
import type { DeployEvent, DeployResult } from '../../src/rollout/model.js';
export class Control {
  /** When the last droplet was done. */
  #doneAt = 0;
  #changedInBatch = false;
  #changed = false;
  #failed = false;
  #watchFailed = false;
  /** Something that it watched has failed. */
  #isDecided = false;
  #awaitsYes = false;
  /** Droplets may have begun to change. */
  isRolling = false;
  /** Names of the droplets of the batch that was in hand, or was the last, when the gate failed. */
  #accused: readonly string[] = [];
  #batch: readonly string[] = [];

  /** Those that had to go back, still run the release, and are not said to. */
  #left({ rows, summary }: DeployResult): string[] {
    const left = rows.filter(({ name, outcome }) => this.#accused.includes(name) && outcome === 'deployed');
    return left
      .filter(({ name }) => !summary.includes(name))
      .map(({ name }) => `leaves ${name} on the release that the gate has stopped`);
  }

  /** The gate has said no as often as it may, or the site. */
  watchFails(): void {
    this.#watchFailed = true;
  }

  /** A gate is asked before anything changes. */
  expectYes(): void {
    this.#awaitsYes = true;
  }

  gateSaysYes(): void {
    this.#awaitsYes = false;
  }

  /**
   * What is wrong with the event, in words.
   * @param rests.recalls a gate that fails takes back the batch in hand
   * @param tag of the release that the run brings
   */
  see(
    event: DeployEvent,
    now: number,
    { pauseMs, bakeMs, recalls }: { pauseMs: number; bakeMs: number; recalls: boolean },
    tag: string | undefined,
  ): string[] {
    const since = now - this.#doneAt;
    switch (event.type) {
      case 'phase-started':
        this.isRolling ||= event.phase === 'roll';
        return [];
      case 'batch-started': {
        const isEarly = this.#changedInBatch && !this.#failed && since < pauseMs;
        this.#changedInBatch = false;
        this.#batch = event.droplets;
        return [
          ...(isEarly ? [`begins batch ${event.batch} after a pause of ${since} ms`] : []),
          ...(this.#awaitsYes && !event.back ? [`begins batch ${event.batch}, and no gate has said yes`] : []),
        ];
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
        // After a droplet that fell sick, some go back already: then a gate decides nothing more.
        if (!this.#isDecided && ['gate-failed', 'probe-failed'].includes(event.error.code)) this.#accused = this.#batch;
        this.#isDecided = true;
        return [];
      case 'rollout-finished': {
        const isEarly = event.result.outcome === 'succeeded' && this.#changed && since < bakeMs;
        const isGood = event.result.outcome === 'succeeded' && this.#watchFailed;
        return [
          ...(isEarly ? [`is done after a bake of ${since} ms`] : []),
          ...(isGood ? ['succeeds, although what it watched has failed'] : []),
          ...(recalls ? this.#left(event.result) : []),
        ];
      }
      default:
        return [];
    }
  }
}
