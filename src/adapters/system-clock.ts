import { setMaxListeners } from 'node:events';
import type { Clock } from '../ports.js';

/** Node fires a longer timer after 1 ms, with a warning: longer sleeps are split. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock: the only place in the product that uses Date.now and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),

  async sleep(ms, signal) {
    let left = ms;
    while (left > LONGEST_TIMER_MS && !signal?.aborted) {
      await timer(LONGEST_TIMER_MS, signal);
      left -= LONGEST_TIMER_MS;
    }
    await timer(left, signal);
  },
};

/**
 * The listener is removed from the signal when the timer fires: a signal lives as long as a rollout, with thousands of
 * sleeps. There are as many at a time as droplets: from eleven on, Node would warn of a leak on the terminal.
 */
function timer(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  if (signal) setMaxListeners(0, signal);
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timeout);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timeout = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
