import type { Clock, Reporter } from '../ports.js';
import type { DeployEvent } from '../rollout/model.js';
import { LiveArea, type Terminal } from './live-area.js';
import { type InHand, liveFrame } from './live-frame.js';
import type { Narrator } from './narration.js';
import type { Palette } from './palette.js';
import { RunProgress } from './run-progress.js';

const REDRAW_INTERVAL_MS = 100;

/** A live view that is redrawn in place while the log scrolls by above it. */
export class TerminalReporter implements Reporter {
  readonly #area: LiveArea;
  readonly #narrator: Narrator;
  readonly #palette: Palette;
  readonly #clock: Clock;
  #ticking = new AbortController();
  readonly #progress = new RunProgress();
  /** When each droplet's work started in this phase, and whether one of its steps is running. */
  readonly #inHand = new Map<string, InHand>();
  /** Lines to print with the next frame. */
  #waiting: string[] = [];
  #isStale = false;
  /** A rollout has started, and its table is shown unless a question is. */
  #isRolling = false;
  #isSuspended = false;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal, narrator: Narrator, palette: Palette, clock: Clock) {
    this.#area = new LiveArea(terminal, () => this.#redrawSoon());
    this.#narrator = narrator;
    this.#palette = palette;
    this.#clock = clock;
  }

  get isDrawing(): boolean {
    return this.#area.isOpen;
  }

  report(event: DeployEvent): void {
    this.#waiting.push(...this.#narrator.tell(event));
    this.#follow(event);
    if (event.type === 'rollout-started') this.#open();
    if (event.type === 'rollout-finished') this.close();
    else if (this.#isSuspended) return;
    else if (this.#area.isOpen) this.#redrawSoon();
    else this.#area.draw(this.#waiting.splice(0), []);
  }

  /** Leaves the terminal to a question: nothing is drawn or printed until `resume`. */
  suspend(): void {
    this.#isSuspended = true;
    this.#area.close(this.#waiting.splice(0));
  }

  resume(): void {
    if (!this.#isSuspended) return;
    this.#isSuspended = false;
    if (this.#isRolling) {
      this.#area.open();
      this.#redraw();
    } else this.#area.draw(this.#waiting.splice(0), []);
  }

  close(): void {
    this.#isSuspended = false;
    this.#isRolling = false;
    this.#ticking.abort();
    this.#area.close(this.#waiting.splice(0));
  }

  #follow(event: DeployEvent): void {
    this.#progress.follow(event, this.#narrator.rows);
    switch (event.type) {
      case 'phase-started':
        this.#inHand.clear();
        break;
      case 'step-started':
        this.#inHand.set(event.droplet, {
          since: this.#inHand.get(event.droplet)?.since ?? this.#clock.now(),
          running: true,
        });
        break;
      case 'step-finished':
      case 'step-failed': {
        const droplet = this.#inHand.get(event.droplet);
        if (droplet !== undefined) droplet.running = false;
        break;
      }
    }
  }

  #open(): void {
    if (this.#isRolling) return;
    this.#isRolling = true;
    if (!this.#isSuspended) this.#area.open();
    this.#ticking = new AbortController();
    this.#tick(this.#ticking.signal).catch(() => {});
  }

  /** Updates elapsed times, and shows changes that came too soon after a frame. */
  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(REDRAW_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const second = (ms: number) => Math.floor((ms - this.#progress.startedAt) / 1000);
      if (this.#isStale || second(this.#clock.now()) !== second(this.#drawnAt)) this.#redraw();
    }
  }

  #redrawSoon(): void {
    this.#isStale = true;
    if (this.#clock.now() - this.#drawnAt >= REDRAW_INTERVAL_MS) this.#redraw();
  }

  #redraw(): void {
    if (this.#isSuspended) return;
    this.#isStale = false;
    this.#drawnAt = this.#clock.now();
    this.#area.draw(this.#waiting.splice(0), this.#frame());
  }

  #frame(): string[] {
    const { columns, rows } = this.#area;
    const view = {
      progress: this.#progress,
      rows: this.#narrator.rows,
      inHand: this.#inHand,
      now: this.#clock.now(),
    };
    return liveFrame(view, { columns, rows, palette: this.#palette });
  }
}
