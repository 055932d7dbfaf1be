import type { DeployEvent, RollingCommand, StatusRow, Step } from '../rollout/model.js';
import { applyEvent } from '../rollout/status-rows.js';
import { endingLines } from './ending.js';
import type { Palette } from './palette.js';
import { batchSentence, openingSentence, phaseSentence, restSentence, stepPhrase, taskPhrase } from './phrases.js';
import { clockTime, duration, hang } from './text.js';

/**
 * How much is told. `quiet`: warnings, failures and the end. `normal`: a line for each phase, and for each phase of a droplet.
 * `verbose`: also each step and each remote command. `debug`: also connections, requests and sizes.
 */
export type Level = 'quiet' | 'normal' | 'verbose' | 'debug';

export interface NarrationOptions {
  palette: Palette;
  level: Level;
  /** Maximum width of the closing table, in columns. */
  width(): number;
}

/** A sentence about an event; `detail` is printed with --verbose, `debug` with --debug. */
export interface Remark {
  text: string;
  level: 'debug' | 'detail' | 'info' | 'headline' | 'good' | 'warning' | 'failure';
  droplet?: string;
  /** How long it took. */
  ms?: number;
  /** With --debug. */
  more?: string | undefined;
}

/** Turns events into lines for people, and keeps the rows of the status table. */
export class Narrator {
  rows: StatusRow[] = [];
  command: RollingCommand = 'deploy';
  readonly #options: NarrationOptions;
  /** False where a live view shows the progress of steps anyway. */
  showsProgress = true;
  /** When its containers were started, by droplet. */
  readonly #switchedAt = new Map<string, number>();
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
    if (event.type === 'rollout-finished') {
      const { result, command = this.command, ends } = event;
      return endingLines(result, command, { palette: this.#options.palette, width: this.#options.width(), ends });
    }
    if (event.type === 'step-progress' && !this.showsProgress) return [];
    const remarks = [remarkOn(event, before, this.rows, this.command), this.#milestone(event)];
    return remarks.flatMap((remark) =>
      remark !== undefined && this.#isWanted(remark) ? [this.#line(event.at, remark)] : [],
    );
  }

  /** Adds to the rows the time that each droplet took of the rolling phase. */
  #measure(event: DeployEvent): void {
    const at = Date.parse(event.at);
    if (event.type === 'batch-started') {
      for (const droplet of event.droplets) this.#shares.set(droplet, { since: at });
    }
    if (event.type === 'step-started' && event.step === 'switch') this.#switchedAt.set(event.droplet, at);
    if (event.type !== 'row-changed') return;
    this.rows = this.rows.map((row) => {
      const share = this.#shares.get(row.name);
      if (share === undefined || row.elapsedMs !== undefined || !isSettled(row)) return row;
      share.ms ??= at - share.since;
      return { ...row, elapsedMs: share.ms };
    });
  }

  #isWanted({ level }: Remark): boolean {
    switch (this.#options.level) {
      case 'quiet':
        return level === 'warning' || level === 'failure';
      case 'normal':
        return level !== 'debug' && level !== 'detail';
      case 'verbose':
        return level !== 'debug';
      case 'debug':
        return true;
    }
  }

  /** Where a droplet is, for those who do not see each step. */
  #milestone(event: DeployEvent): Remark | undefined {
    if (event.type !== 'step-finished' || this.#options.level !== 'normal') return undefined;
    const { droplet, step, at } = event;
    const isBalanced = this.rows.find(({ name }) => name === droplet)?.rotation !== 'none';
    if (step !== (isBalanced ? 'balancer-check' : 'health')) return undefined;
    const since = this.#switchedAt.get(droplet);
    const time = since === undefined ? '' : ` after ${duration(Date.parse(at) - since)}`;
    return { level: 'info', droplet, text: `healthy${time}` };
  }

  #line(at: string, { level, droplet, ms, more, ...remark }: Remark): string {
    const { palette } = this.#options;
    const told = this.#options.level === 'debug' ? more : undefined;
    const after = [...(ms === undefined ? [] : [duration(ms)]), ...(told === undefined ? [] : [told])];
    const text = after.length === 0 ? remark.text : `${remark.text} (${after.join('; ')})`;
    const paint = {
      debug: palette.faint,
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

export function remarkOn(
  event: DeployEvent,
  before: StatusRow[],
  after: StatusRow[],
  command: RollingCommand,
): Remark | undefined {
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
      return { droplet: event.droplet, ...beginning(event, after, command) };
    case 'step-progress':
      return { level: 'detail', droplet: event.droplet, text: `${phraseOf(event, after).present}: ${event.detail}` };
    case 'step-finished': {
      const detail = event.detail === undefined ? '' : `: ${event.detail}`;
      const text = `${phraseOf(event, after).past}${detail} (${duration(event.ms)})`;
      return { level: isMilestone(event.step) ? 'info' : 'detail', droplet: event.droplet, text };
    }
    case 'task-started':
      return { level: 'detail', text: taskPhrase(event) };
    case 'still-running':
      return { level: 'info', text: event.message };
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
      return {
        level: event.kind === 'command' ? 'detail' : 'debug',
        text: event.what,
        ms: event.ms,
        more: event.detail,
      };
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

function isSettled(row: StatusRow): boolean {
  return ['deployed', 'taken out', 'reverted', 'deploy failed'].includes(row.outcome);
}

/** These change containers, but not what is deployed. */
const SAME_RELEASE: ReadonlySet<RollingCommand> = new Set(['restart', 'stop', 'start']);

/** The end of staging on a droplet; what follows has milestones of its own. */
function isMilestone(step: Step): boolean {
  return step === 'pull' || step === 'build';
}

function beginning(
  event: Extract<DeployEvent, { type: 'step-started' }>,
  rows: readonly StatusRow[],
  command: RollingCommand,
): Pick<Remark, 'level' | 'text'> {
  const { present } = phraseOf(event, rows);
  if (event.step === 'drain') {
    const isOut = rows.find(({ name }) => name === event.droplet)?.rotation === 'out';
    return { level: 'info', text: isOut ? `${present} (out of rotation)` : present };
  }
  if (event.step !== 'switch') return { level: 'detail', text: present };
  const keepsRelease = event.release === undefined || SAME_RELEASE.has(command);
  return { level: 'info', text: keepsRelease ? present : `starting release ${event.release}` };
}

/** Only the outcome of a droplet; its steps report the changes on the way. */
function remarkOnOutcome(row: StatusRow, before: StatusRow[]): Remark | undefined {
  if (before.find((old) => old.id === row.id)?.outcome === row.outcome) return undefined;
  const time = row.elapsedMs === undefined ? '' : ` (${duration(row.elapsedMs)})`;
  switch (row.outcome) {
    case 'deployed':
      return {
        level: 'good',
        droplet: row.name,
        text: `${row.rotation === 'in' ? 'back in rotation' : 'deployed'}${time}`,
      };
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
