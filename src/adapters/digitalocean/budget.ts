import { CloudError } from '../../errors.js';
import type { Clock } from '../../ports.js';
import { headerNumber, resetTime, retryAfter } from './headers.js';

/** DigitalOcean allows 250 per minute and 5,000 per hour and token; the rest is left to other users of the token. */
const PER_MINUTE = 220;
const PER_HOUR = 4_900;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** The longest wait for the limits of the API before a call fails with `cloud-rate-limited`. */
export const LONGEST_RATE_LIMIT_WAIT_MS = 5 * MINUTE_MS;

/** The budget that all requests of a client share. Requests that have to wait are sent in their order. */
export class RequestBudget {
  readonly #clock: Clock;
  /** When the requests of the last hour were sent, oldest first. */
  readonly #sent: number[] = [];
  #pausedUntil = 0;
  #lastInLine: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits until one more request may be sent. Throws CloudError rate-limited if that takes longer than 5 minutes. */
  spend(): Promise<void> {
    const turn = this.#lastInLine.then(() => this.#takePlace());
    this.#lastInLine = turn.catch(() => {});
    return turn;
  }

  /** Reads what is left of the hour from an answer's headers; it includes the requests of others. */
  observe(headers: unknown): void {
    // Here the limit of the minute is used up, and `ratelimit-reset` is still about the hour.
    if (retryAfter(headers) !== undefined) return;
    const remaining = headerNumber(headers, 'ratelimit-remaining');
    const reset = resetTime(headers, this.#clock.now());
    if (remaining !== undefined && remaining <= 0 && reset !== undefined) this.pauseUntil(reset);
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

/** `free` is when DigitalOcean accepts requests again (ms since the epoch), if known; `more` follows the message. */
export function rateLimited(free?: number, more = ''): CloudError {
  const until = free === undefined ? '' : ` until ${new Date(free).toISOString().replace(/\.\d+Z$/, 'Z')}`;
  return new CloudError('rate-limited', 'not-applied', `DigitalOcean's request limit is used up${until}.${more}`, {
    hint: 'Run again later. The limit counts per token: use a token for do-deploy alone.',
  });
}
