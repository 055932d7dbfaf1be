import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/adapters/system-clock.js';

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const ended = (sleep: Promise<void>) => {
    const state = { ended: false };
    void sleep.then(() => {
      state.ended = true;
    });
    return state;
  };

  it('returns the current time', () => {
    vi.setSystemTime(1_795_250_000_000);
    expect(systemClock.now()).toBe(1_795_250_000_000);
  });

  it('sleeps at least as long as requested', async () => {
    const sleep = ended(systemClock.sleep(1_000));
    await vi.advanceTimersByTimeAsync(999);
    expect(sleep.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(sleep.ended).toBe(true);
  });

  it('sleeps longer than the longest timer of Node', async () => {
    const month = 30 * 24 * 3_600_000;
    const sleep = ended(systemClock.sleep(month));
    await vi.advanceTimersByTimeAsync(month - 1);
    expect(sleep.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(sleep.ended).toBe(true);
  });

  it('wakes immediately, without throwing, when the signal aborts', async () => {
    const controller = new AbortController();
    const sleep = ended(systemClock.sleep(60_000, controller.signal));
    const long = ended(systemClock.sleep(2 ** 40, controller.signal));
    controller.abort(new Error('interrupted'));
    await vi.advanceTimersByTimeAsync(0);
    expect([sleep.ended, long.ended]).toEqual([true, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not sleep if the signal has aborted', async () => {
    await systemClock.sleep(60_000, AbortSignal.abort());
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no listener on the signal, and causes no warning about many', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { signal } = new AbortController();
    const sleeps = Promise.all(Array.from({ length: 100 }, (_, index) => systemClock.sleep(index, signal)));
    await vi.advanceTimersByTimeAsync(100);
    await sleeps;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});
