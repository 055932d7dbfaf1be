import type { Reporter } from '../ports.js';
import type { DeployEvent } from '../rollout/model.js';

/** `--json`: one event per line, as docs/events.md describes them. */
export class NdjsonReporter implements Reporter {
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  report(event: DeployEvent): void {
    this.#write(`${JSON.stringify(event)}\n`);
  }
}
