/** Lines of many sources in the order of their times, in bounded memory and without waiting long for anyone. */
import type { Clock } from '../../../ports.js';

/** A source that has delivered nothing for so long is not waited for, in ms. */
const STALLED_MS = 750;
/** The same where all sources will end. */
const STALLED_IF_FINITE_MS = 5_000;
/** How long a line waits for earlier ones of sources that were quiet, in ms. */
const SETTLE_MS = 250;
/** Of one source; it has to wait then. */
const MAX_LINES = 500;
const MAX_CHARACTERS = 512 * 1024;

interface Timed {
  time: string;
  text: string;
}

export class MergeSource<L extends Timed> {
  readonly lines: { line: L; arrivedAt: number }[] = [];
  characters = 0;
  emptySince: number;
  isOpen = true;
  /** Wakes who waits for room. */
  roomy: () => void = () => {};

  constructor(
    readonly merge: Merge<L>,
    now: number,
  ) {
    this.emptySince = now;
  }

  /** Pending while there is no room. */
  async add(line: L): Promise<void> {
    while (this.isFull && !this.merge.isCancelled) {
      await new Promise<void>((resolve) => {
        this.roomy = resolve;
      });
    }
    if (this.merge.isCancelled) return;
    this.characters += line.text.length;
    this.lines.push({ line, arrivedAt: this.merge.now() });
    this.merge.wake();
  }

  get isFull(): boolean {
    return this.lines.length >= MAX_LINES || this.characters >= MAX_CHARACTERS;
  }

  close(): void {
    this.isOpen = false;
    this.merge.wake();
  }
}

export class Merge<L extends Timed> {
  readonly #clock: Clock;
  readonly #sources = new Set<MergeSource<L>>();
  readonly #stalledMs: number;
  #isClosed = false;
  isCancelled = false;
  #woken = new AbortController();

  /** @param options.finite all sources will end: none is idle for long */
  constructor(clock: Clock, options: { finite: boolean } = { finite: false }) {
    this.#clock = clock;
    this.#stalledMs = options.finite ? STALLED_IF_FINITE_MS : STALLED_MS;
  }

  now(): number {
    return this.#clock.now();
  }

  open(): MergeSource<L> {
    const source = new MergeSource<L>(this, this.now());
    this.#sources.add(source);
    this.wake();
    return source;
  }

  /** No further sources will come. */
  close(): void {
    this.#isClosed = true;
    this.wake();
  }

  /** Nobody takes its lines any more: sources no longer wait. */
  cancel(): void {
    this.isCancelled = true;
    for (const source of this.#sources) source.roomy();
    this.close();
  }

  wake(): void {
    this.#woken.abort();
  }

  /** Ends when it is closed and all sources are. */
  async *lines(): AsyncGenerator<L> {
    for (;;) {
      this.#woken = new AbortController();
      for (const source of this.#sources) if (!source.isOpen && source.lines.length === 0) this.#sources.delete(source);
      const next = this.#next();
      if (typeof next === 'object') {
        yield this.#take(next);
        continue;
      }
      if (this.#isClosed && this.#sources.size === 0) return;
      if (next === undefined) await new Promise<void>((resolve) => this.#onWake(resolve));
      else await this.#clock.sleep(next, this.#woken.signal);
    }
  }

  #onWake(act: () => void): void {
    if (this.#woken.signal.aborted) act();
    else this.#woken.signal.addEventListener('abort', act, { once: true });
  }

  /** The source whose line is next, or how long to wait for others, in ms; undefined: there are no lines. */
  #next(): MergeSource<L> | number | undefined {
    const now = this.now();
    let first: MergeSource<L> | undefined;
    let wait = 0;
    let areQuiet = false;
    for (const source of this.#sources) {
      const [head] = source.lines;
      if (head === undefined) {
        if (!source.isOpen) continue;
        const left = source.emptySince + this.#stalledMs - now;
        if (left > 0) wait = Math.max(wait, left);
        else areQuiet = true;
      } else if (first === undefined || head.line.time < (first.lines[0]?.line.time ?? '')) {
        first = source;
      }
    }
    if (first === undefined) return undefined;
    if (areQuiet) wait = Math.max(wait, (first.lines[0]?.arrivedAt ?? 0) + SETTLE_MS - now);
    return wait > 0 ? wait : first;
  }

  #take(source: MergeSource<L>): L {
    const taken = source.lines.shift();
    if (taken === undefined) throw new RangeError('the source has a line');
    source.characters -= taken.line.text.length;
    if (source.lines.length === 0) source.emptySince = this.now();
    source.roomy();
    return taken.line;
  }
}
