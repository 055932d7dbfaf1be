import { setMaxListeners } from 'node:events';
import type { Clock } from '../../ports.js';
import type { Link } from './link.js';

export type Interruption = 'timeout' | 'lost' | 'aborted';

export interface Bounds {
  timeoutMs: number;
  signal?: AbortSignal;
  /** The error for interrupted work. `reason` is why the link was lost, otherwise ''. */
  fail(how: Interruption, reason: string): Error;
}

/**
 * Does work on a link until it is finished, the link is lost, the timeout is reached, or the caller aborts. Alone, ssh2's
 * callbacks never come when the connection is lost (SFTP) or silent. `stop` is aborted in any case, so that the work can
 * close what it opened.
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
      // One signal stops the work on all droplets; Node would warn of a leak from eleven listeners on.
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
