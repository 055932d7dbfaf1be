import { expect } from 'vitest';

/** `expect` on what becomes true soon; bounded for a slow, shared machine. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { interval: 20, timeout: 30_000 });
}
