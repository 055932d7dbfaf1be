import { CloudError } from '../../errors.js';
import type { Clock } from '../../ports.js';
import { headerNumber } from './headers.js';

/** DigitalOcean allows 250 a minute and 5,000 an hour per token; the rest is left to others who use the same token. */
const PER_MINUTE = 220;
const PER_HOUR = 4_900;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The longest wait for the limits of the API before a call fails with `cloud-rate-limited`. */
export const LONGEST_RATE_LIMIT_WAIT_MS = 5 * MINUTE_MS;

/** What every request of one client spends from. Requests that have to wait go in the order they came. */
export class RequestBudget {
  readonly #clock: Clock;
  /** When the requests of the last hour were sent, oldest first. */
  readonly #sent: number[] = [];
  #pausedUntil = 0;
  #lastInLine: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits until one more request may be sent. Throws CloudError rate-limited rather than wait longer than 5 minutes. */
  spend(): Promise<void> {
    const turn = this.#lastInLine.then(() => this.#takePlace());
    this.#lastInLine = turn.catch(() => {});
    return turn;
  }

  /** Learns from an answer's headers what is left of the hour, others' requests included. */
  observe(headers: unknown): void {
    // Then it is the minute's limit that is used up, and `ratelimit-reset` still tells of the hour's.
    if (headerNumber(headers, 'retry-after') !== undefined) return;
    const remaining = headerNumber(headers, 'ratelimit-remaining');
    const reset = headerNumber(headers, 'ratelimit-reset');
    if (remaining !== undefined && remaining <= 0 && reset !== undefined) this.pauseUntil(reset * 1_000);
  }

  /** No request before this time (ms since the epoch). */
  pauseUntil(time: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, time);
  }

  async #takePlace(): Promise<void> {
    const latest = this.#clock.now() + LONGEST_RATE_LIMIT_WAIT_MS;
    for (;;) {
      const now = this.#clock.now();
      const free = this.#nextFreeTime();
      if (free <= now) {
        this.#sent.push(now);
        if (this.#sent.length > PER_HOUR) this.#sent.shift();
        return;
      }
      if (free > latest) throw rateLimited(free);
      await this.#clock.sleep(free - now);
    }
  }

  #nextFreeTime(): number {
    const minuteAgo = this.#sent.at(-PER_MINUTE) ?? Number.NEGATIVE_INFINITY;
    const hourAgo = this.#sent.at(-PER_HOUR) ?? Number.NEGATIVE_INFINITY;
    return Math.max(this.#pausedUntil, minuteAgo + MINUTE_MS, hourAgo + HOUR_MS);
  }
}

/** `free` is when DigitalOcean says that requests are taken again (ms since the epoch), if it says. */
export function rateLimited(free?: number): CloudError {
  const until = free === undefined ? '' : ` until ${new Date(free).toISOString().replace(/\.\d+Z$/, 'Z')}`;
  return new CloudError('rate-limited', 'not-applied', `DigitalOcean's request limit is used up${until}.`, {
    hint: 'Run again later. The limit counts per token: a token for do-deploy alone keeps others from using it up.',
  });
}
