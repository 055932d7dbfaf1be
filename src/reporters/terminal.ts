import { wholeSeconds } from '../durations.js';
import type { Clock, Reporter } from '../ports.js';
import type { DeployEvent, StatusRow } from '../rollout/model.js';
import { countOutcomes } from '../rollout/status-rows.js';
import { LiveArea, type Terminal } from './live-area.js';
import type { Narrator } from './narration.js';
import type { Palette } from './palette.js';
import { phaseSentence, restSentence, runTitle, stepPhrase } from './phrases.js';
import { type Cell, liveTable, outcomeCell } from './table.js';
import { duration, truncate } from './text.js';

const REDRAW_INTERVAL_MS = 100;
/** Lines of a frame besides its droplets: blank, title, headings, counts, and the cursor's line. */
const OTHER_LINES = 5;

/** A table that is redrawn in place while the log scrolls by above it. */
export class TerminalReporter implements Reporter {
  readonly #area: LiveArea;
  readonly #narrator: Narrator;
  readonly #palette: Palette;
  readonly #clock: Clock;
  #ticking = new AbortController();
  #title = '';
  #phase = '';
  #startedAt = 0;
  /** When each droplet's work started in this phase, and whether one of its steps is running. */
  readonly #inHand = new Map<string, { since: number; running: boolean }>();
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
    switch (event.type) {
      case 'rollout-started':
        this.#title = runTitle(event);
        break;
      case 'phase-started':
        this.#phase = phaseSentence(event);
        this.#inHand.clear();
        break;
      case 'rest-started':
        this.#phase = restSentence(event);
        break;
      case 'rest-finished':
        this.#phase = phaseSentence({ phase: 'roll' });
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
    this.#startedAt = this.#clock.now();
    this.#ticking = new AbortController();
    this.#tick(this.#ticking.signal).catch(() => {});
  }

  /** Updates elapsed times, and shows changes that came too soon after a frame. */
  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(REDRAW_INTERVAL_MS, signal);
      if (signal.aborted) return;
      const second = (ms: number) => Math.floor((ms - this.#startedAt) / 1000);
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
    const all = this.#narrator.rows;
    const shown = this.#choose(all, Math.max(1, rows - OTHER_LINES));
    const table = liveTable(
      shown.map((row) => ({ row, step: this.#stepCell(row), elapsed: this.#elapsed(row) })),
      columns,
      this.#palette,
    );
    const left = shown.length === all.length ? '' : `${shown.length} of ${all.length} droplets shown: `;
    const status = `${this.#title} (${wholeSeconds(this.#clock.now() - this.#startedAt)})  ${this.#phase}`;
    const frame = [
      '',
      this.#palette.strong(truncate(status, columns)),
      ...table,
      this.#palette.faint(truncate(`${left}${countOutcomes(all)}`, columns)),
    ];
    return frame.slice(0, Math.max(1, rows - 1));
  }

  /** Without room for all: droplets that are worked on, then failed ones, then others; in the fleet's order. */
  #choose(rows: StatusRow[], room: number): StatusRow[] {
    if (rows.length <= room) return rows;
    const urgency = (row: StatusRow) => {
      if (this.#isInHand(row)) return 0;
      return row.outcome === 'deploy failed' || row.outcome === 'reverted' ? 1 : 2;
    };
    const chosen = new Set(rows.toSorted((a, b) => urgency(a) - urgency(b)).slice(0, room));
    return rows.filter((row) => chosen.has(row));
  }

  #isInHand(row: StatusRow): boolean {
    return row.outcome === 'in progress' || this.#inHand.get(row.name)?.running === true;
  }

  #stepCell(row: StatusRow): Cell {
    if (this.#isInHand(row) && row.step !== undefined) {
      const detail = row.detail === undefined ? '' : `: ${row.detail}`;
      return { text: `${stepPhrase(row.step, row).present}${detail}`, paint: this.#palette.active };
    }
    if (row.outcome !== 'not deployed') return outcomeCell(row.outcome, this.#palette);
    const text = row.step === undefined ? '' : (row.detail ?? stepPhrase(row.step, row).past);
    return { text, paint: this.#palette.faint };
  }

  #elapsed(row: StatusRow): string {
    const since = this.#inHand.get(row.name)?.since;
    if (this.#isInHand(row) && since !== undefined) return wholeSeconds(this.#clock.now() - since);
    return row.elapsedMs === undefined ? '' : duration(row.elapsedMs);
  }
}
