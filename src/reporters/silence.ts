/** Ends every silence of a run after 30 s, whatever it waits for: a person would wonder, and some CI systems end the job. */
import type { Clock } from '../ports.js';
import type { DeployEvent } from '../rollout/model.js';
import { UnderWay } from './under-way.js';

const LONGEST_SILENCE_MS = 30_000;

export class SilenceWatch {
  readonly #clock: Clock;
  readonly #tell: (event: DeployEvent) => void;
  readonly #underWay = new UnderWay();
  #ended = new AbortController();
  #isWatching = false;
  #isSuspended = false;
  #isClosed = false;
  #printedAt = 0;

  /** @param tell shows an event, and calls `printed` if there was anything to print */
  constructor(clock: Clock, tell: (event: DeployEvent) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  follow(event: DeployEvent): void {
    this.#underWay.follow(event);
    if (event.type === 'rollout-finished') this.#end();
    else if (event.type.endsWith('-started')) this.#watch();
  }

  printed(): void {
    this.#printedAt = this.#clock.now();
  }

  /** A question is on the screen. */
  suspend(): void {
    this.#isSuspended = true;
  }

  resume(): void {
    this.#isSuspended = false;
    this.printed();
  }

  /** For good: what a step that was left still reports begins nothing. */
  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  #end(): void {
    this.#ended.abort();
    this.#isWatching = false;
  }

  #watch(): void {
    if (this.#isWatching || this.#isClosed) return;
    this.#isWatching = true;
    this.#ended = new AbortController();
    this.printed();
    void this.#endSilences(this.#ended.signal);
  }

  async #endSilences(signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = this.#printedAt + LONGEST_SILENCE_MS - this.#clock.now();
      if (left <= 0) this.#break();
      else await this.#clock.sleep(left, signal);
      if (signal.aborted) return;
    }
  }

  #break(): void {
    const now = this.#clock.now();
    // Also where nothing was to be said: then the next silence begins.
    this.#printedAt = now;
    if (this.#isSuspended) return;
    for (const message of this.#underWay.sentences(now))
      this.#tell({ schema: 2, at: new Date(now).toISOString(), type: 'still-running', message });
  }
}
