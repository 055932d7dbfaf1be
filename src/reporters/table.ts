/** Tables that fit the terminal: columns shrink, then the least important ones are left out. */
import Table from 'cli-table3';
import { wholeSeconds } from '../durations.js';
import { shortHash } from '../rollout/commit.js';
import type { DropletOutcome, HistoryEntry, Rotation, StatusRow } from '../rollout/model.js';
import type { Palette } from './palette.js';
import { nameOf } from './phrases.js';
import { apartFrom, type Lose, truncate, truncateAll, widthOf } from './text.js';

export interface Column {
  heading: string;
  /** Minimum width; with `lose` more, if different texts would look the same otherwise. */
  least: number;
  /** Width that it takes even if its texts do not: what is redrawn must not move with each text. */
  always?: number;
  /** Without room for all columns, the highest is left out first; 0 always stays. */
  expendable: number;
  /** Where to cut, as long as different texts still differ; by default at the end. */
  lose?: Lose;
}

export interface Cell {
  text: string;
  paint?: (text: string) => string;
}

const GAP = 2;
const NO_BORDER = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid'].flatMap((side) =>
    [side, `${side}-left`, `${side}-mid`, `${side}-right`].map((name) => [name, '']),
  ),
);

/** The lines of the table, none wider than `width` (Infinity: no limit). */
export function layOut(columns: Column[], rows: Cell[][], width: number, palette: Palette): string[] {
  const sizes = columnSizes(columns, rows, width);
  const shown = [...sizes.keys()];
  const table = new Table({
    chars: { ...NO_BORDER, middle: ' '.repeat(GAP) },
    colWidths: [...sizes.values()],
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  });
  const cut = new Map(
    [...sizes].map(([index, size]) => {
      const texts = rows.map((row) => row[index]?.text ?? '');
      return [index, truncateAll(texts, size, columns[index]?.lose)];
    }),
  );
  table.push(shown.map((index) => palette.faint(truncate(columns[index]?.heading ?? '', sizes.get(index) ?? 0))));
  for (const [place, row] of rows.entries()) {
    table.push(
      shown.map((index) => {
        const text = cut.get(index)?.[place] ?? '';
        const paint = row[index]?.paint;
        return text === '' || paint === undefined ? text : paint(text);
      }),
    );
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/** The columns that are shown, by index, and their widths. */
function columnSizes(columns: Column[], rows: Cell[][], width: number): Map<number, number> {
  const sizes = new Map(
    columns.map((column, index) => [
      index,
      Math.max(column.always ?? 0, widthOf(column.heading), ...rows.map((row) => widthOf(row[index]?.text ?? ''))),
    ]),
  );
  const leasts = new Map(
    [...sizes].map(([index, size]) => {
      const { least = 0, lose } = columns[index] ?? {};
      const texts = rows.map((row) => row[index]?.text ?? '');
      // A name that looks like another's is no name.
      return [index, lose === undefined || size <= least ? Math.min(least, size) : apartFrom(texts, least, lose)];
    }),
  );
  const least = (index: number) => leasts.get(index) ?? 0;
  const total = (widths: number[]) => widths.reduce((sum, size) => sum + size, GAP * (widths.length - 1));
  const expendable = [...sizes.keys()]
    .filter((index) => (columns[index]?.expendable ?? 0) > 0)
    .sort((a, b) => (columns[a]?.expendable ?? 0) - (columns[b]?.expendable ?? 0));

  while (expendable.length > 0 && total([...sizes.keys()].map(least)) > width) sizes.delete(expendable.pop() ?? -1);
  while (total([...sizes.values()]) > width) {
    const [widest] = [...sizes].sort(([a, sizeA], [b, sizeB]) => sizeB - least(b) - (sizeA - least(a)));
    if (widest === undefined || widest[1] <= 1) break;
    sizes.set(widest[0], widest[1] - 1);
  }
  return sizes;
}

const DROPLET: Column = { heading: 'DROPLET', least: 8, expendable: 0, lose: 'middle' };
const ROLE: Column = { heading: 'ROLE', least: 6, expendable: 2 };
const ADDRESS: Column = { heading: 'ADDRESS', least: 15, expendable: 4 };
const ROTATION: Column = { heading: 'ROTATION', least: 8, expendable: 1 };
const RELEASE: Column = { heading: 'RELEASE', least: 10, expendable: 3, lose: 'start' };
const HEALTH: Column = { heading: 'HEALTH', least: 9, expendable: 2 };
const RESULT: Column = { heading: 'RESULT', least: 13, expendable: 0 };

const HISTORY: Column[] = [
  { heading: 'WHEN (UTC)', least: 19, expendable: 0 },
  { heading: 'COMMAND', least: 8, expendable: 2 },
  { heading: 'RELEASE', least: 10, expendable: 0, lose: 'start' },
  { heading: 'COMMIT', least: 7, expendable: 4 },
  { heading: 'RESULT', least: 11, expendable: 0 },
  { heading: 'TOOK', least: 5, expendable: 3 },
  { heading: 'FAILED PROBES', least: 6, expendable: 5 },
  { heading: 'WHO', least: 10, expendable: 1 },
];

export function historyTable(entries: HistoryEntry[], options: { width: number; palette: Palette }): string[] {
  const { palette } = options;
  const rows = entries.map((entry): Cell[] => [
    { text: entry.at.slice(0, 19).replace('T', ' ') },
    { text: entry.command },
    { text: entry.release },
    { text: entry.commit === undefined ? '-' : `${shortHash(entry.commit)}${entry.dirty ? ' +changes' : ''}` },
    { text: outcomeOf(entry), paint: entry.outcome === 'succeeded' ? palette.good : palette.bad },
    { text: wholeSeconds(Math.round(entry.durationMs / 1000) * 1000) },
    failedProbes(entry, palette),
    { text: entry.url === undefined ? entry.who : `${entry.who} ${entry.url}` },
  ]);
  return layOut(HISTORY, rows, options.width, palette);
}

/** "failed: health-timeout on web-2" */
function outcomeOf({ outcome, error, skipped, held }: HistoryEntry): string {
  if (error === undefined && held !== undefined) return `held on ${held.join(', ')}`;
  if (error === undefined) return skipped === undefined ? outcome : `${outcome}, skipped ${skipped.join(', ')}`;
  return `${outcome}: ${error.code}${error.droplet === undefined ? '' : ` on ${error.droplet}`}`;
}

function failedProbes({ probes }: HistoryEntry, palette: Palette): Cell {
  if (probes === undefined) return { text: '-' };
  return { text: `${probes.failed} of ${probes.total}`, paint: probes.failed > 0 ? palette.bad : undefined };
}

/** The status table; with `result`, also the outcome of each droplet in this run. */
export function statusTable(
  rows: StatusRow[],
  options: { result: boolean; width: number; palette: Palette },
): string[] {
  const { palette } = options;
  const parts = { roles: rows.some(({ role }) => role !== undefined), addresses: true };
  const columns = [...placeColumns(parts), HEALTH, ...(options.result ? [RESULT] : [])];
  const cells = rows.map((row) => [
    ...placeCells(row, parts, palette),
    { text: row.health, paint: row.health === 'healthy' ? undefined : palette.caution },
    outcomeCell(row.outcome, palette),
  ]);
  return layOut(columns, cells, options.width, palette);
}

export interface LiveRow {
  row: StatusRow;
  /** One character, which tells what the colours tell. */
  sign: Cell;
  step: Cell;
  elapsed: string;
}

/** From this width on, the live table has room for addresses besides what is going on. */
const WIDE = 100;

/** The table that is redrawn while a rollout runs. */
export function liveTable(rows: LiveRow[], width: number, palette: Palette): string[] {
  const parts = { roles: rows.some(({ row }) => row.role !== undefined), addresses: width >= WIDE };
  const columns = [
    { heading: '', least: 1, expendable: 0 },
    ...placeColumns(parts),
    { heading: 'TIME', least: 7, always: 7, expendable: 2 },
    // The last one: no other column moves when a droplet goes on to its next step.
    { heading: 'STEP', least: 20, always: 28, expendable: 0 },
  ];
  const nameFor = shortNames(rows.map(({ row }) => row.release));
  const cells = rows.map(({ row, sign, step, elapsed }) => {
    return [sign, ...placeCells({ ...row, release: nameFor(row.release) }, parts, palette), { text: elapsed }, step];
  });
  return layOut(columns, cells, width, palette);
}

/** Ids of releases without their time, unless they would look the same then. */
function shortNames(ids: readonly string[]): (id: string) => string {
  const different = new Set(ids);
  return new Set([...different].map(nameOf)).size === different.size ? nameOf : (id) => id;
}

interface Parts {
  roles: boolean;
  addresses: boolean;
}

function placeColumns({ roles, addresses }: Parts): Column[] {
  return [DROPLET, ...(roles ? [ROLE] : []), ...(addresses ? [ADDRESS] : []), ROTATION, RELEASE];
}

function placeCells(row: StatusRow, { roles, addresses }: Parts, palette: Palette): Cell[] {
  return [
    { text: row.name },
    ...(roles ? [{ text: row.role ?? '' }] : []),
    ...(addresses ? [{ text: row.address }] : []),
    rotationCell(row.rotation, palette),
    { text: row.release },
  ];
}

function rotationCell(rotation: Rotation, palette: Palette): Cell {
  if (rotation === 'none') return { text: '-', paint: palette.faint };
  return { text: rotation, paint: rotation === 'in' ? undefined : palette.caution };
}

export function outcomeCell(outcome: DropletOutcome, palette: Palette): Cell {
  const paints: Record<DropletOutcome, (text: string) => string> = {
    deployed: palette.good,
    'up to date': palette.good,
    'in progress': palette.active,
    reverted: palette.caution,
    'deploy failed': palette.bad,
    unfinished: palette.bad,
    'taken out': palette.caution,
    skipped: palette.caution,
    'not deployed': palette.faint,
  };
  return { text: outcome, paint: paints[outcome] };
}
