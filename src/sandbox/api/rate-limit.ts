import { type Answer, problem } from './answers.js';

export interface RateLimits {
  perHour: number;
  perMinute: number;
}

/** DigitalOcean's limits per token. */
export const OFFICIAL_LIMITS: RateLimits = { perHour: 5000, perMinute: 250 };

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** Sliding windows of a minute and an hour. Refused requests do not count. */
export class RateLimiter {
  readonly #limits: RateLimits;
  /** Times of the requests of the last hour, oldest first. */
  readonly #times: number[] = [];

  /** `limits` is read at each request, so it can be changed in place. */
  constructor(limits: RateLimits) {
    this.#limits = limits;
  }

  /** Counts a request, or returns its refusal. */
  admit(now: number): Answer | undefined {
    this.#forget(now);
    const { perHour, perMinute } = this.#limits;
    if (this.#times.length >= perHour) return problem(429, 'API rate limit exceeded.', this.headers(now));
    const lastMinute = this.#times.filter((time) => time > now - MINUTE);
    if (lastMinute.length >= perMinute) {
      const freeAt = (lastMinute[lastMinute.length - perMinute] ?? now) + MINUTE;
      const retryAfter = String(Math.max(1, Math.ceil((freeAt - now) / 1000)));
      const headers = { ...this.headers(now), 'ratelimit-remaining': '0', 'retry-after': retryAfter };
      return problem(429, 'API rate limit exceeded.', headers);
    }
    this.#times.push(now);
    return undefined;
  }

  /** `ratelimit-reset`: when the oldest request expires, in seconds since the epoch. */
  headers(now: number): Record<string, string> {
    this.#forget(now);
    return {
      'ratelimit-limit': String(this.#limits.perHour),
      'ratelimit-remaining': String(Math.max(0, this.#limits.perHour - this.#times.length)),
      'ratelimit-reset': String(Math.ceil(((this.#times[0] ?? now) + HOUR) / 1000)),
    };
  }

  #forget(now: number): void {
    const kept = this.#times.findIndex((time) => time > now - HOUR);
    this.#times.splice(0, kept === -1 ? this.#times.length : kept);
  }
}
