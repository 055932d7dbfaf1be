import { setMaxListeners } from 'node:events';
import type { Clock } from '../../ports.js';
import type { Link } from './link.js';

export type Interruption = 'timeout' | 'lost' | 'aborted';

export interface Bounds {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** The error for work that did not end by itself. `reason` is why the link was lost; '' otherwise. */
  fail(how: Interruption, reason: string): Error;
}

/**
 * Work on a link that ends at its end, the link's, the time-out or the caller's signal, whichever comes first. ssh2's
 * callbacks alone never come when the connection is lost (SFTP) or silent. `stop` is aborted when it is over either way, for
 * the work to close what it opened.
 */
export function within<T>(
  link: Link,
  clock: Clock,
  { timeoutMs, signal, fail }: Bounds,
  work: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    let unsubscribe = () => {};
    const settle = (deliver: () => void) => {
      if (over.signal.aborted) return;
      over.abort();
      unsubscribe();
      signal?.removeEventListener('abort', onAbort);
      deliver();
    };
    const interrupt = (how: Interruption, reason = '') => settle(() => reject(fail(how, reason)));
    const onAbort = () => interrupt('aborted');

    if (signal?.aborted) return onAbort();
    if (link.lostBecause !== undefined) return interrupt('lost', link.lostBecause);
    if (signal) {
      // One signal stops the work on all droplets at once; Node warns of a leak from eleven listeners on.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', onAbort);
    }
    unsubscribe = link.onLost((reason) => interrupt('lost', reason));
    clock.sleep(timeoutMs, over.signal).then(() => interrupt('timeout'));
    work(over.signal).then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
  });
}
