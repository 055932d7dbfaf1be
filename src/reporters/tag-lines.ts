/** `do-deploy tags`: git's tags, and the environments that run them. */
import { shortHash } from '../rollout/commit.js';
import type { EnvironmentRow, RunningOn, TagRow } from '../rollout/match-tags.js';
import type { Palette } from './palette.js';
import { type Cell, type Column, layOut } from './table.js';

const COLUMNS: Column[] = [
  { heading: 'TAG', least: 8, expendable: 0 },
  { heading: 'WHEN (UTC)', least: 16, expendable: 2 },
  { heading: 'COMMIT', least: 7, expendable: 3 },
  { heading: 'RUNS ON', least: 10, expendable: 0 },
  { heading: 'SUBJECT', least: 10, expendable: 4 },
];

export function tagLines(
  tags: readonly TagRow[],
  environments: readonly EnvironmentRow[],
  { width, palette }: { width: number; palette: Palette },
): string[] {
  const rows = tags.map((tag): Cell[] => [
    { text: tag.name },
    { text: new Date(tag.at).toISOString().slice(0, 16).replace('T', ' ') },
    { text: shortHash(tag.commit) },
    { text: tag.environments.map(runningWords).join(', '), paint: palette.good },
    { text: tag.subject },
  ]);
  const table =
    rows.length === 0 ? ['No tags yet. Create one: do-deploy tag NAME'] : layOut(COLUMNS, rows, width, palette);
  return [...table, ...environments.flatMap(environmentNotes).map((line) => palette.faint(`  ${line}`))];
}

/** "production", or "production (1 of 3)" */
function runningWords({ environment, droplets, of }: RunningOn): string {
  return droplets === of ? environment : `${environment} (${droplets} of ${of})`;
}

function environmentNotes({ name, unknown, unreachable, untagged }: EnvironmentRow): string[] {
  if (unknown !== undefined) return [`${name}: unknown: ${unknown}`];
  return [
    ...(unreachable.length > 0 ? [`${name}: no answer from ${unreachable.join(', ')}`] : []),
    ...untagged.map((release) => `${name}: runs ${release}, which has no tag`),
  ];
}
