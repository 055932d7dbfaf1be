/** The last block of every run: the table, how it ended, and on failure what a reader needs to go on. */
import { describeCommit } from '../rollout/commit.js';
import type { DeployResult, Evidence, StatusRow } from '../rollout/model.js';
import type { Palette } from './palette.js';
import { type Command, closingSentence } from './phrases.js';
import { statusTable } from './table.js';
import { count, hang } from './text.js';

type Container = Evidence['containers'][number];

export function endingLines(
  result: DeployResult,
  command: Command,
  { palette, width }: { palette: Palette; width: number },
): string[] {
  const table = result.rows.length === 0 ? [] : ['', ...statusTable(result.rows, { result: true, width, palette })];
  const paint = { succeeded: palette.good, skipped: palette.good, interrupted: palette.caution, failed: palette.bad };
  const closing = paint[result.outcome](closingSentence(result, command));
  const lines = [...table, ...notes(result, palette), '', closing, ...probeLines(result, palette)];
  if (result.outcome === 'failed' || result.outcome === 'interrupted') {
    lines.push(...(result.evidence ?? []).flatMap((found) => ['', ...evidenceLines(found, result, palette)]));
    lines.push('', result.summary, ...adviceLines(result, palette));
  } else if (result.next !== undefined) lines.push(...adviceLines(result, palette));
  return lines;
}

/** The proof: "0 of 41 requests to https://… failed, slowest 84 ms." */
export function probeSentences({ probes }: DeployResult): string[] {
  if (probes === undefined) return [];
  const { url, total, failed, slowestMs, firstFailure } = probes;
  const first =
    firstFailure === undefined ? '' : ` The first at ${firstFailure.at.slice(11, 19)}: ${firstFailure.detail}.`;
  return [`${failed} of ${count(total, 'request')} to ${url} failed, slowest ${slowestMs} ms.${first}`];
}

function probeLines(result: DeployResult, palette: Palette): string[] {
  const paint = result.probes?.failed === 0 ? palette.good : palette.bad;
  return probeSentences(result).map((sentence) => paint(sentence));
}

/** What the table has no room for. The failure that is told below the table is not told twice. */
function notes({ rows, error }: DeployResult, palette: Palette): string[] {
  return rows.flatMap((row) => {
    const isTold = error !== undefined && (row.detail === error.message || row.detail === error.code);
    return noteLines(isTold ? { ...row, detail: undefined } : row, palette);
  });
}

export function noteLines(
  row: Pick<StatusRow, 'name' | 'outSince'> & { detail?: string | undefined },
  palette: Palette,
): string[] {
  const texts = [...(row.outSince === undefined ? [] : [`out since ${row.outSince}`])];
  if (row.detail !== undefined) texts.push(row.detail);
  return texts.map((text) => palette.faint(`  ${row.name}: ${hang(text, '    ')}`));
}

/** Which commit the releases of a status are of, each once. */
export function commitLines(rows: readonly StatusRow[], palette: Palette): string[] {
  const lines = rows.flatMap(({ release, commit, dirty }) =>
    commit === undefined ? [] : [palette.faint(`  ${release} is ${describeCommit({ commit, dirty })}`)],
  );
  return [...new Set(lines)];
}

function adviceLines({ error, next }: DeployResult, palette: Palette): string[] {
  const lines: string[] = [];
  if (error?.hint !== undefined && (next === undefined || !error.hint.includes(next))) lines.push(error.hint);
  if (next !== undefined) lines.push(`Next: ${palette.strong(next)}`);
  return lines;
}

/** Each line of foreign text starts with a bar: it can't be taken for do-deploy's own words. */
function evidenceLines(
  found: { droplet: string; evidence: Evidence },
  { error }: DeployResult,
  palette: Palette,
): string[] {
  const { containers, cause, disk } = found.evidence;
  const quote = (title: string, texts: string[] | undefined) =>
    texts === undefined || texts.length === 0
      ? []
      : [
          `  ${title}`,
          ...texts.flatMap((text) => text.trimEnd().split('\n')).map((line) => palette.faint(`  │ ${line}`)),
        ];
  return [
    `${palette.strong(found.droplet)}: ${cause === error?.message ? 'what its containers say' : cause}`,
    ...containers.flatMap((container) => [
      `  ${containerSentence(container)}`,
      ...quote(`${container.service}'s health check said:`, container.healthOutput),
      ...quote(`${container.service}'s last log lines:`, container.log),
    ]),
    ...(disk === undefined ? [] : [`  disk: ${disk}`]),
  ];
}

/** "app: exited with code 137, out of memory, restarted 3 times" */
export function containerSentence(container: Container): string {
  const facts = [
    container.exitCode === undefined ? container.state : `${container.state} with code ${container.exitCode}`,
  ];
  if (container.health !== undefined && container.health !== '') facts.push(container.health);
  if (container.oomKilled === true) facts.push('out of memory');
  if (container.restarts > 0) facts.push(`restarted ${count(container.restarts, 'time')}`);
  return `${container.service}: ${facts.join(', ')}`;
}
