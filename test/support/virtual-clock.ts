import { setMaxListeners } from 'node:events';
import type { Clock } from '../../src/ports.js';

interface Sleeper {
  due: number;
  /** Sleepers due at the same time wake in the order in which they lay down. */
  order: number;
  /** Absent once it was woken by its signal: it then waits in the heap for its time to be thrown away. */
  wake?: (() => void) | undefined;
}

export interface VirtualClockOptions {
  /** Milliseconds since the epoch. */
  start?: number;
  /**
   * Whether the code under test also waits for real sockets or processes. Then `run` waits for those when nobody
   * sleeps; otherwise it throws, because nothing can ever wake the code again.
   */
  realIo?: boolean;
  /**
   * Nobody under test queues `process.nextTick` or waits for anything but promises and this clock. Then ticks do instead
   * of turns of the event loop, which are what a simulation of millions of steps would spend a third of its time on.
   */
  promisesOnly?: boolean;
}

/** With promises only: so many steps between turns of the event loop, which others in the process wait for. */
const STEPS_A_TURN = 256;

/**
 * A clock on which time passes only while every task waits: an hour of waiting takes microseconds, and the order of
 * events is the same in every run.
 *
 * How it knows that every task waits: it lets one turn of the event loop pass (`setImmediate`) before each step in
 * time. Node empties the microtask and nextTick queues before it starts the next turn, so every promise chain, however
 * long, has come to its next sleep by then. Counting microtasks (`await null` so many times) guesses the length of
 * the chains; `process.nextTick` is quicker but runs before ticks that the tasks queue themselves, and starves the event
 * loop, and with it the test runner's own messages: it is for those who know that there are none (`promisesOnly`).
 */
export class VirtualClock implements Clock {
  #now: number;
  #lastOrder = 0;
  #running = false;
  #stir: (() => void) | undefined;
  readonly #realIo: boolean;
  readonly #promisesOnly: boolean;
  #steps = 0;
  readonly #sleepers: Sleeper[] = [];

  constructor(options: VirtualClockOptions = {}) {
    this.#now = options.start ?? Date.UTC(2026, 10, 21, 7, 45);
    this.#realIo = options.realIo ?? false;
    this.#promisesOnly = options.promisesOnly ?? false;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = { due: this.#now + Math.max(0, ms), order: this.#lastOrder++, wake: resolve };
      if (signal) {
        setMaxListeners(0, signal);
        const onAbort = () => {
          sleeper.wake = undefined;
          resolve();
        };
        signal.addEventListener('abort', onAbort, { once: true });
        sleeper.wake = () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
      }
      push(this.#sleepers, sleeper);
      this.#stir?.();
    });
  }

  /** A sleep that can be cut short without the price of an AbortController: the simulation makes millions. */
  nap(ms: number): { over: Promise<void>; wake(): void } {
    const sleeper: Sleeper = { due: this.#now + Math.max(0, ms), order: this.#lastOrder++ };
    let resolve: () => void = () => {};
    const over = new Promise<void>((resolveIt) => {
      resolve = resolveIt;
    });
    sleeper.wake = resolve;
    push(this.#sleepers, sleeper);
    this.#stir?.();
    return {
      over,
      wake: () => {
        sleeper.wake = undefined;
        resolve();
      },
    };
  }

  /** Lets time pass until the promise settles, and gives its value or throws its error. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
      this.#stir?.();
    };
    promise.then(settle, settle);
    await this.#passTime(async () => {
      while (!settled) {
        if (!this.#wakeNext(Number.POSITIVE_INFINITY)) {
          if (!this.#realIo) throw new Error('Stuck: the promise is pending, and nobody sleeps who could settle it.');
          await new Promise<void>((resolve) => {
            this.#stir = resolve;
          });
          this.#stir = undefined;
        }
        await this.#everyTaskWaits();
      }
    });
    return promise;
  }

  /** Lets exactly so much time pass, waking everyone whose time comes. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.#passTime(async () => {
      while (this.#wakeNext(until)) await this.#everyTaskWaits();
      this.#now = until;
    });
  }

  async #passTime(steps: () => Promise<void>): Promise<void> {
    if (this.#running) throw new Error('The clock already runs: join the promises in one run().');
    this.#running = true;
    try {
      await this.#everyTaskWaits();
      await steps();
    } finally {
      this.#running = false;
    }
  }

  #everyTaskWaits(): Promise<void> {
    this.#steps += 1;
    const ticks = this.#promisesOnly && this.#steps % STEPS_A_TURN !== 0;
    return new Promise((resolve) => (ticks ? process.nextTick(resolve) : setImmediate(resolve)));
  }

  /** One at a time, as timers do: the first to wake may still send the second back to sleep. */
  #wakeNext(until: number): boolean {
    for (;;) {
      const next = this.#sleepers[0];
      if (next === undefined) return false;
      if (next.wake !== undefined && (next.due > until || next.due === Number.POSITIVE_INFINITY)) return false;
      pop(this.#sleepers);
      if (next.wake === undefined) continue;
      this.#now = next.due;
      next.wake();
      return true;
    }
  }
}

// A binary heap with the next sleeper at index 0.

function earlier(a: Sleeper, b: Sleeper): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function push(heap: Sleeper[], sleeper: Sleeper): void {
  let at = heap.length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !earlier(sleeper, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = sleeper;
}

function pop(heap: Sleeper[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    const child = right !== undefined && left !== undefined && earlier(right, left) ? 2 * at + 2 : 2 * at + 1;
    const first = heap[child];
    if (first === undefined || !earlier(first, last)) break;
    heap[at] = first;
    at = child;
  }
  heap[at] = last;
}
