import type { Reporter } from '../ports.js';
import type { DeployEvent } from '../rollout/model.js';
import type { Narrator } from './narration.js';

/** A line for each thing that happened, for logs and CI. */
export class PlainReporter implements Reporter {
  readonly #narrator: Narrator;
  readonly #write: (text: string) => void;

  constructor(narrator: Narrator, write: (text: string) => void) {
    this.#narrator = narrator;
    this.#write = write;
  }

  report(event: DeployEvent): void {
    const lines = this.#narrator.tell(event);
    if (lines.length > 0) this.#write(`${lines.join('\n')}\n`);
  }
}
