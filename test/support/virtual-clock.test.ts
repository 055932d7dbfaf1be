import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from './virtual-clock.js';

describe('virtual time', () => {
  it('passes only by sleeping, so that a day takes no time', async () => {
    const clock = new VirtualClock({ start: 1_000 });
    const day = async () => {
      for (let hour = 0; hour < 24; hour++) await clock.sleep(3_600_000);
      return 'done';
    };
    expect(await clock.run(day())).toBe('done');
    expect(clock.now()).toBe(1_000 + 86_400_000);
  });

  it('wakes sleepers by time, and in their order when times are equal', async () => {
    const clock = new VirtualClock({ start: 0 });
    const log: string[] = [];
    const task = async (name: string, ms: number) => {
      await clock.sleep(ms);
      log.push(`${name} at ${clock.now()}`);
    };
    await clock.run(Promise.all([task('c', 20), task('a', 10), task('d', 20), task('b', 10)]));
    expect(log).toEqual(['a at 10', 'b at 10', 'c at 20', 'd at 20']);
  });

  it('lets every task reach its next sleep before time passes, however long its chain of promises', async () => {
    const clock = new VirtualClock({ start: 0 });
    let done = Number.NaN;
    const chain = async () => {
      await clock.sleep(5);
      for (let count = 0; count < 2_000; count++) await null;
      await new Promise<void>((resolve) => process.nextTick(resolve));
      for (let count = 0; count < 2_000; count++) await null;
      done = clock.now();
    };
    await clock.run(Promise.all([chain(), clock.sleep(6)]));
    expect(done).toBe(5);
  });

  it('stops when the promise settles, and leaves later sleepers asleep', async () => {
    const clock = new VirtualClock({ start: 0 });
    let woke = false;
    void clock.sleep(100).then(() => {
      woke = true;
    });
    await clock.run(clock.sleep(50));
    expect([clock.now(), woke]).toEqual([50, false]);
    await clock.advance(50);
    expect([clock.now(), woke]).toEqual([100, true]);
  });

  it('throws the error of the promise', async () => {
    const clock = new VirtualClock();
    const failing = clock.sleep(10).then(() => {
      throw new Error('no luck');
    });
    await expect(clock.run(failing)).rejects.toThrow('no luck');
  });

  it('wakes early on abort without time passing, and drops the rest of the sleep', async () => {
    const clock = new VirtualClock({ start: 0 });
    const controller = new AbortController();
    const sleeper = clock.sleep(1_000, controller.signal).then(() => clock.now());
    const aborter = clock.sleep(10).then(() => controller.abort());
    await clock.run(aborter);
    expect(await clock.run(sleeper)).toBe(10);
    await clock.run(clock.sleep(5));
    expect(clock.now()).toBe(15);
    await clock.run(clock.sleep(5, controller.signal));
    expect(clock.now()).toBe(15);
  });

  it('leaves no listener on the signal', async () => {
    const clock = new VirtualClock();
    const { signal } = new AbortController();
    await clock.run(Promise.all([clock.sleep(1, signal), clock.sleep(2, signal)]));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('is an error when nothing can wake the code any more', async () => {
    const clock = new VirtualClock();
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow('Stuck');
    await expect(clock.run(clock.sleep(Number.POSITIVE_INFINITY))).rejects.toThrow('Stuck');
  });

  it('waits for real input and output if there is any', async () => {
    const clock = new VirtualClock({ start: 0, realIo: true });
    const task = async () => {
      await clock.sleep(10);
      await new Promise((resolve) => setTimeout(resolve, 5));
      await clock.sleep(10);
      return clock.now();
    };
    expect(await clock.run(task())).toBe(20);
  });

  it('refuses two runs at a time', async () => {
    const clock = new VirtualClock();
    const first = clock.run(clock.sleep(10));
    await expect(clock.run(clock.sleep(10))).rejects.toThrow('already runs');
    await first;
  });

  it('keeps any number of sleepers in order', async () => {
    const sleeps = fc.array(fc.record({ ms: fc.integer({ min: -5, max: 50 }), aborted: fc.boolean() }), {
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(sleeps, async (wanted) => {
        const clock = new VirtualClock({ start: 0 });
        const woken: { due: number; index: number }[] = [];
        const tasks = wanted.map(async ({ ms, aborted }, index) => {
          const controller = new AbortController();
          const sleep = clock.sleep(ms, controller.signal);
          if (aborted) return controller.abort();
          await sleep;
          expect(clock.now()).toBe(Math.max(0, ms));
          woken.push({ due: clock.now(), index });
        });
        await clock.run(Promise.all(tasks));
        expect(woken).toEqual(woken.toSorted((a, b) => a.due - b.due || a.index - b.index));
        expect(woken).toHaveLength(wanted.filter(({ aborted }) => !aborted).length);
      }),
      { numRuns: 200 },
    );
  });
});
