import { onAbort } from './on-abort.js';

/** What the task resolves to; undefined once the signal aborts: the task goes on, and nobody waits for it. */
export async function untilAborted<T>(task: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const done = new AbortController();
  const aborted = new Promise<undefined>((resolve) => onAbort(signal, () => resolve(undefined), done.signal));
  try {
    return await Promise.race([task, aborted]);
  } finally {
    done.abort();
  }
}
