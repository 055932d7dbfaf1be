import type { Reporter } from '../ports.js';
import type { DeployEvent } from '../rollout/model.js';

/** Tells every reporter everything. One that throws hurts neither the others nor the rollout. */
export class FanOut implements Reporter {
  readonly #reporters: Reporter[];

  constructor(reporters: Reporter[]) {
    this.#reporters = reporters;
  }

  report(event: DeployEvent): void {
    for (const reporter of this.#reporters) {
      try {
        reporter.report(event);
      } catch {
        // There is nowhere to tell it: the place to tell things is what broke.
      }
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#reporters.map(async (reporter) => reporter.close?.()));
  }
}
