import type { SandboxClock } from '../../src/sandbox/clock.js';

/** A clock that stands still until it is turned. */
export class ManualClock implements SandboxClock {
  #now = Date.UTC(2026, 10, 21, 7, 45);
  readonly #waiting: { at: number; action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, action: () => void): () => void {
    const entry = { at: this.#now + ms, action };
    if (ms <= 0) action();
    else this.#waiting.push(entry);
    return () => {
      const index = this.#waiting.indexOf(entry);
      if (index !== -1) this.#waiting.splice(index, 1);
    };
  }

  /** Advances the clock and runs the actions that become due, in order. */
  turn(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#waiting.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = end;
  }
}
