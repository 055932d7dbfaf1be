import pRetry from 'p-retry';
import { inWords } from '../../durations.js';
import { CloudError } from '../../errors.js';
import type { Clock } from '../../ports.js';
import { LONGEST_RATE_LIMIT_WAIT_MS } from './budget.js';
import { FailedAttempt, type Retry } from './failures.js';

interface Bounds {
  tries: number;
  /** From the first failure of the kind to the start of the last attempt. */
  totalMs: number;
  /** Waits double from the first to the longest, unless DigitalOcean says how long to wait. */
  firstWaitMs: number;
  longestWaitMs: number;
}

export type RetryBounds = Record<Exclude<Retry, 'never'>, Bounds>;

export function retryBounds(busyTimeoutMs: number): RetryBounds {
  const endless = Number.POSITIVE_INFINITY;
  return {
    transient: { tries: 5, totalMs: 60_000, firstWaitMs: 500, longestWaitMs: 8_000 },
    busy: { tries: endless, totalMs: busyTimeoutMs, firstWaitMs: 1_000, longestWaitMs: 8_000 },
    'rate-limited': {
      tries: endless,
      totalMs: LONGEST_RATE_LIMIT_WAIT_MS,
      firstWaitMs: 1_000,
      longestWaitMs: 30_000,
    },
  };
}

/**
 * Repeats the attempt until it succeeds or its failures reach a bound; then throws the last CloudError.
 *
 * p-retry drives the loop, but its timers use the machine's clock and know one delay for all failures. So its delays are
 * zero, its limits off, and `shouldRetry`, which it awaits, waits by `clock`.
 */
export async function withRetries<T>(attempt: () => Promise<T>, clock: Clock, bounds: RetryBounds): Promise<T> {
  const started = clock.now();
  const failures = new Map<Retry, { count: number; since: number }>();
  let tries = 0;

  const waitIfWorthwhile = async (failed: FailedAttempt): Promise<boolean> => {
    if (failed.retry === 'never') return false;
    const bound = bounds[failed.retry];
    const now = clock.now();
    const seen = failures.get(failed.retry) ?? { count: 0, since: now };
    failures.set(failed.retry, { ...seen, count: seen.count + 1 });
    const backOff = Math.min(bound.longestWaitMs, bound.firstWaitMs * 2 ** seen.count);
    // At least the first wait: a reset in the past must not become a busy loop.
    const wait = failed.waitMs === undefined ? backOff : Math.max(bound.firstWaitMs, failed.waitMs);
    if (seen.count + 1 >= bound.tries || now + wait - seen.since > bound.totalMs) return false;
    await clock.sleep(wait);
    return true;
  };

  try {
    return await pRetry(
      () => {
        tries += 1;
        return attempt();
      },
      {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 0,
        factor: 1,
        shouldRetry: ({ error }) => error instanceof FailedAttempt && waitIfWorthwhile(error),
      },
    );
  } catch (error) {
    throw error instanceof FailedAttempt ? withTries(error.error, tries, clock.now() - started) : error;
  }
}

function withTries(error: CloudError, tries: number, ms: number): CloudError {
  if (tries < 2) return error;
  const message = `${error.message} Tried ${tries} times in ${inWords(ms)}.`;
  return new CloudError(error.kind, error.outcome, message, {
    source: error.source,
    hint: error.hint,
  });
}
