import { setMaxListeners } from 'node:events';
import type { Clock } from '../../src/ports.js';

interface Sleeper {
  due: number;
  /** Sleepers due at the same time wake in this order: that of their calls. */
  order: number;
  /** Absent once it was woken by its signal: it then stays in the heap until its time, and is dropped. */
  wake?: (() => void) | undefined;
}

export interface VirtualClockOptions {
  /** Milliseconds since the epoch. */
  start?: number;
  /**
   * The code under test also waits for real sockets or processes. When nothing sleeps, `run` waits for these; otherwise
   * it throws, because nothing can wake the code again.
   */
  realIo?: boolean;
  /**
   * The code under test queues no `process.nextTick` and waits only for promises and this clock. Then ticks suffice
   * instead of turns of the event loop, which take a third of the time of a simulation with millions of steps.
   */
  promisesOnly?: boolean;
}

/** With promises only: steps between turns of the event loop, which the rest of the process needs. */
const STEPS_PER_TURN = 256;

/**
 * A clock whose time passes only while every task waits: an hour of waiting takes microseconds, and the order of events is
 * the same in every run.
 *
 * It detects that every task waits by letting one turn of the event loop pass (`setImmediate`) before each step in time.
 * Node empties the microtask and nextTick queues before the next turn, so every promise chain, however long, has reached
 * its next sleep by then. Counting microtasks (`await null` in a loop) would guess the length of the chains.
 * `process.nextTick` is faster, but it runs before ticks that the tasks queue themselves, and it starves the event loop,
 * including the test runner's messages: it is an option for code without these (`promisesOnly`).
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

  /** A sleep that can be cut short without the cost of an AbortController: the simulation needs millions. */
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

  /** Lets time pass until the promise settles; returns its value or throws its error. */
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
          if (!this.#realIo) throw new Error('Stuck: the promise is pending, and nothing sleeps that could settle it.');
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

  /** Lets exactly this much time pass, and wakes everything that is due. */
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
    const ticks = this.#promisesOnly && this.#steps % STEPS_PER_TURN !== 0;
    return new Promise((resolve) => (ticks ? process.nextTick(resolve) : setImmediate(resolve)));
  }

  /** One at a time, like timers: the first one may still change what the second one does. */
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
