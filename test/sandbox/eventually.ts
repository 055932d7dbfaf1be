import { expect } from 'vitest';

/** Polls until the expectation holds; the bound allows for a slow, shared machine. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { interval: 20, timeout: 30_000 });
}
