/** The lines of the live view, for a terminal of any size. */
import { wholeSeconds } from '../durations.js';
import type { DropletOutcome, StatusRow } from '../rollout/model.js';
import { countOutcomes } from '../rollout/status-rows.js';
import type { Palette } from './palette.js';
import { stepPhrase } from './phrases.js';
import type { RunProgress } from './run-progress.js';
import { type Cell, liveTable, outcomeCell } from './table.js';
import { count, duration, truncate, widthOf } from './text.js';

/** Lines besides the droplets: blank, title, state, headings, counts, capacity, and the cursor's. */
const OTHER_LINES = 7;
/** Where not all droplets have room: the part of the terminal that is left to what scrolls by above. */
const PART_ABOVE = 0.3;
/** Of droplets that still wait: more of them would say no more than their number. */
const MOST_NEXT = 4;
const SEPARATOR = ' | ';

/** What a droplet does at the moment. */
export interface InHand {
  since: number;
  /** One of its steps is running. */
  running: boolean;
}

export interface View {
  progress: RunProgress;
  rows: readonly StatusRow[];
  inHand: ReadonlyMap<string, InHand>;
  now: number;
}

export interface Place {
  columns: number;
  rows: number;
  palette: Palette;
}

/** None is wider than the terminal, and all of them with the cursor's line fit into it. */
export function liveFrame(view: View, place: Place): string[] {
  const { columns, rows: height, palette } = place;
  const { shown, others } = fold(view, Math.max(1, height - OTHER_LINES), height);
  const lines = shown.map((row) => ({
    row,
    sign: signOf(row, view, palette),
    step: stepCell(row, view, palette),
    elapsed: elapsedOf(row, view),
  }));
  const counts = others.length === 0 ? [] : [`${count(others.length, 'other droplet')}: ${countOutcomes(others)}`];
  const { head, foot } = around(view, place);
  const frame = [
    '',
    palette.strong(truncate(view.progress.title, columns)),
    head,
    ...liveTable(lines, columns, palette),
    ...counts.map((line) => palette.faint(truncate(line, columns))),
    ...foot,
  ];
  return frame.slice(0, Math.max(1, height - 1));
}

/** "Rolling out, batch 2 of 3 | 1 min 12 s | about 40 s left | 0 of 142 probes failed", and what is said below the table. */
function around({ progress, now }: View, { columns, palette }: Place): { head: string; foot: string[] } {
  const left = progress.timeLeft(now);
  const elapsed = wholeSeconds(now - progress.startedAt);
  const state = [progress.phase, elapsed, ...(left === undefined ? [] : [left])].join(SEPARATOR);
  const paint = progress.isBelowFloor ? palette.bad : palette.faint;
  const capacity = truncate(progress.capacity, columns);
  const foot = capacity === '' ? [] : [paint(capacity)];
  const probes = probeWords(progress);
  if (probes === undefined) return { head: truncate(state, columns), foot };
  const painted = (progress.probes?.failed === 0 ? palette.good : palette.bad)(truncate(probes, columns));
  if (fitBeside(state, probes, columns)) return { head: `${state}${SEPARATOR}${painted}`, foot };
  const isBeside = foot.length > 0 && fitBeside(capacity, probes, columns);
  return {
    head: truncate(state, columns),
    foot: isBeside ? [`${paint(capacity)}${SEPARATOR}${painted}`] : [...foot, painted],
  };
}

function fitBeside(one: string, other: string, columns: number): boolean {
  return widthOf(one) + SEPARATOR.length + widthOf(other) <= columns;
}

function probeWords({ probes }: RunProgress): string | undefined {
  return probes && `${probes.failed} of ${count(probes.total, 'probe')} failed`;
}

const FAILED: ReadonlySet<DropletOutcome> = new Set(['deploy failed', 'unfinished', 'reverted']);

/**
 * Without room for all: those in hand, the longest first, and those that failed; then the next ones to come.
 * @param room for droplets, in lines
 */
function fold(view: View, room: number, height: number): { shown: StatusRow[]; others: StatusRow[] } {
  const { rows, inHand } = view;
  if (rows.length <= room) return { shown: [...rows], others: [] };
  const limit = Math.max(1, Math.min(room, Math.floor(height * (1 - PART_ABOVE)) - OTHER_LINES + 1));
  const sinceOf = ({ name }: StatusRow) => inHand.get(name)?.since ?? 0;
  const busy = rows.filter((row) => isInHand(row, view)).sort((one, other) => sinceOf(one) - sinceOf(other));
  const failed = rows.filter((row) => FAILED.has(row.outcome) && !isInHand(row, view));
  // Neither hides the other.
  const failures = failed.slice(0, Math.max(limit - busy.length, Math.floor(limit / 2)));
  const urgent = [...busy.slice(0, limit - failures.length), ...failures];
  const calm = rows.filter((row) => !urgent.includes(row) && !isInHand(row, view) && !FAILED.has(row.outcome));
  const next = calm.toSorted((one, other) => orderOf(one) - orderOf(other));
  const shown = [...urgent, ...next.slice(0, Math.min(MOST_NEXT, limit - urgent.length))];
  return { shown, others: rows.filter((row) => !shown.includes(row)) };
}

function orderOf({ outcome }: StatusRow): number {
  return outcome === 'not deployed' ? 0 : 1;
}

function isInHand(row: StatusRow, { inHand }: View): boolean {
  return row.outcome === 'in progress' || inHand.get(row.name)?.running === true;
}

/** All of them are one column wide, whatever the terminal. */
const SIGNS: Partial<Record<DropletOutcome, string>> = {
  deployed: '✓',
  'up to date': '✓',
  'deploy failed': '✗',
  unfinished: '✗',
  reverted: '↺',
  'taken out': '-',
  skipped: '-',
};

function signOf(row: StatusRow, view: View, palette: Palette): Cell {
  if (isInHand(row, view)) return { text: '▸', paint: palette.active };
  return { ...outcomeCell(row.outcome, palette), text: SIGNS[row.outcome] ?? ' ' };
}

function stepCell(row: StatusRow, view: View, palette: Palette): Cell {
  if (isInHand(row, view) && row.step !== undefined) {
    const detail = row.detail === undefined ? '' : `: ${row.detail}`;
    return { text: oneLine(`${stepPhrase(row.step, row).present}${detail}`), paint: palette.active };
  }
  if (row.outcome !== 'not deployed') return outcomeCell(row.outcome, palette);
  const text = row.step === undefined ? '' : (row.detail ?? stepPhrase(row.step, row).past);
  return { text: oneLine(text), paint: palette.faint };
}

/** The message of a failure may have several lines. */
function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ');
}

function elapsedOf(row: StatusRow, view: View): string {
  const since = view.inHand.get(row.name)?.since;
  if (isInHand(row, view) && since !== undefined) return wholeSeconds(view.now - since);
  return row.elapsedMs === undefined ? '' : duration(row.elapsedMs);
}
