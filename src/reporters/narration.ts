import type { DeployEvent, RollingCommand, StatusRow, Step } from '../rollout/model.js';
import { applyEvent } from '../rollout/status-rows.js';
import { endingLines } from './ending.js';
import type { Palette } from './palette.js';
import { batchSentence, openingSentence, phaseSentence, restSentence, stepPhrase } from './phrases.js';
import { clockTime, duration, hang } from './text.js';

export interface NarrationOptions {
  palette: Palette;
  /** Also print traces, the start of each step, and bookkeeping. */
  verbose: boolean;
  /** Print only warnings, failures and the end. */
  quiet?: boolean;
  /** Print the progress of steps; the live table shows it anyway. */
  progress: boolean;
  /** Maximum width of the closing table, in columns. */
  width(): number;
}

/** A sentence about an event; `detail` is printed with --verbose only. */
export interface Remark {
  text: string;
  level: 'detail' | 'info' | 'headline' | 'good' | 'warning' | 'failure';
  droplet?: string;
}

/** Minimum time between two progress lines of a step, except with --verbose. */
const PROGRESS_INTERVAL_MS = 10_000;

/** Turns events into lines for people, and keeps the rows of the status table. */
export class Narrator {
  rows: StatusRow[] = [];
  command: RollingCommand = 'deploy';
  readonly #options: NarrationOptions;
  readonly #lastProgress = new Map<string, number>();
  /** When each droplet's batch started, and how long the droplet took, once known. */
  readonly #shares = new Map<string, { since: number; ms?: number }>();

  constructor(options: NarrationOptions) {
    this.#options = options;
  }

  /** The lines for an event; possibly none. */
  tell(event: DeployEvent): string[] {
    const before = this.rows;
    this.rows = applyEvent(before, event);
    this.#measure(event);
    if (event.type === 'rollout-started') this.command = event.command;
    // A short step needs no progress line.
    if (event.type === 'step-started') this.#lastProgress.set(stepKey(event), Date.parse(event.at));
    if (event.type === 'rollout-finished') {
      const { result, command = this.command, ends } = event;
      return endingLines(result, command, { palette: this.#options.palette, width: this.#options.width(), ends });
    }
    const remark = event.type === 'step-progress' ? this.#progress(event) : remarkOn(event, before, this.rows);
    return remark !== undefined && this.#isWanted(remark) ? [this.#line(event.at, remark)] : [];
  }

  /** Adds to the rows the time that each droplet took of the rolling phase. */
  #measure(event: DeployEvent): void {
    const at = Date.parse(event.at);
    if (event.type === 'batch-started') {
      for (const droplet of event.droplets) this.#shares.set(droplet, { since: at });
    }
    if (event.type !== 'row-changed') return;
    this.rows = this.rows.map((row) => {
      const share = this.#shares.get(row.name);
      if (share === undefined || row.elapsedMs !== undefined || !isSettled(row)) return row;
      share.ms ??= at - share.since;
      return { ...row, elapsedMs: share.ms };
    });
  }

  #isWanted({ level }: Remark): boolean {
    if (this.#options.quiet) return level === 'warning' || level === 'failure';
    return level !== 'detail' || this.#options.verbose;
  }

  #progress(event: Extract<DeployEvent, { type: 'step-progress' }>): Remark | undefined {
    if (!this.#options.progress) return undefined;
    const key = stepKey(event);
    const now = Date.parse(event.at);
    const last = this.#lastProgress.get(key);
    if (!this.#options.verbose && last !== undefined && now - last < PROGRESS_INTERVAL_MS) return undefined;
    this.#lastProgress.set(key, now);
    const { present } = phraseOf(event, this.rows);
    const [, time] = /^(.+) so far$/.exec(event.detail) ?? [];
    const text = time === undefined ? `${present}: ${event.detail}` : `still ${present} (${time})`;
    return { droplet: event.droplet, level: 'info', text };
  }

  #line(at: string, { text, level, droplet }: Remark): string {
    const { palette } = this.#options;
    const paint = {
      detail: palette.faint,
      info: (plain: string) => plain,
      headline: palette.strong,
      good: palette.good,
      warning: palette.caution,
      failure: palette.bad,
    }[level];
    const names = Math.max(0, ...this.rows.map((row) => row.name.length));
    const name = droplet === undefined ? '' : `${droplet.padEnd(names)}  `;
    const indent = ' '.repeat('07:45:03  '.length + name.length);
    return `${palette.faint(clockTime(at))}  ${name}${paint(hang(text, indent))}`;
  }
}

export function remarkOn(event: DeployEvent, before: StatusRow[], after: StatusRow[]): Remark | undefined {
  switch (event.type) {
    case 'rollout-started':
      return { level: 'headline', text: openingSentence(event) };
    case 'phase-started':
      return { level: 'headline', text: phaseSentence(event) };
    case 'batch-started':
      return { level: 'info', text: batchSentence(event) };
    case 'rest-started':
      return { level: 'info', text: restSentence(event) };
    case 'rest-finished':
      return { level: 'detail', text: `${event.rest} ended (${duration(event.ms)})` };
    case 'watch-failed':
      return { level: 'failure', droplet: event.error.droplet, text: event.error.message };
    case 'step-started':
      return { level: 'detail', droplet: event.droplet, text: phraseOf(event, after).present };
    case 'step-finished': {
      const detail = event.detail === undefined ? '' : `: ${event.detail}`;
      const text = `${phraseOf(event, after).past}${detail} (${duration(event.ms)})`;
      return { level: isBookkeeping(event.step) ? 'detail' : 'info', droplet: event.droplet, text };
    }
    case 'step-failed': {
      const text = `failed after ${duration(event.ms)} while ${phraseOf(event, after).present}: ${event.error.message}`;
      return { level: 'failure', droplet: event.droplet, text };
    }
    case 'row-changed':
      return remarkOnOutcome(after.find((row) => row.id === event.row.id) ?? event.row, before);
    case 'notice': {
      const level = event.level === 'warning' ? 'warning' : 'info';
      return { level, text: event.message, droplet: event.droplet };
    }
    case 'layer-started':
      return { level: 'detail', droplet: event.droplet, text: `${event.name}, at ${event.event}` };
    case 'layer-output':
      return { level: 'info', droplet: event.droplet, text: `  ${event.name}: ${event.line}` };
    case 'layer-finished':
      return { level: 'detail', droplet: event.droplet, text: `${event.name} ended (${duration(event.ms)})` };
    case 'trace':
      return { level: 'detail', text: `${event.what} (${duration(event.ms)})` };
    case 'deploy-interrupted':
      // Without a signal, an error that nothing caught: a sentence of its own.
      return {
        level: 'warning',
        text: event.signal.startsWith('SIG')
          ? `Interrupted by ${event.signal}: ${event.detail}`
          : `${event.signal} ${event.detail}`,
      };
    default:
      return undefined;
  }
}

function phraseOf({ droplet, step }: { droplet: string; step: Step }, rows: readonly StatusRow[]) {
  return stepPhrase(
    step,
    rows.find(({ name }) => name === droplet),
  );
}

function stepKey({ droplet, step }: { droplet: string; step: string }): string {
  return `${droplet} ${step}`;
}

function isSettled(row: StatusRow): boolean {
  return ['deployed', 'taken out', 'reverted', 'deploy failed'].includes(row.outcome);
}

function isBookkeeping(step: string): boolean {
  return step === 'mark-out' || step === 'clear' || step === 'start-stopped' || step === 'evidence';
}

/** Only the outcome of a droplet; its steps report the changes on the way. */
function remarkOnOutcome(row: StatusRow, before: StatusRow[]): Remark | undefined {
  if (before.find((old) => old.id === row.id)?.outcome === row.outcome) return undefined;
  const time = row.elapsedMs === undefined ? '' : ` (${duration(row.elapsedMs)})`;
  switch (row.outcome) {
    case 'deployed':
      return { level: 'good', droplet: row.name, text: `deployed${time}` };
    case 'taken out':
      return { level: 'good', droplet: row.name, text: `taken out of rotation${time}` };
    case 'up to date':
      return { level: 'info', droplet: row.name, text: 'up to date' };
    case 'reverted':
      return { level: 'warning', droplet: row.name, text: `reverted to ${row.release}${time}` };
    case 'deploy failed':
      return { level: 'failure', droplet: row.name, text: `deploy failed${time}` };
    default:
      return undefined;
  }
}
