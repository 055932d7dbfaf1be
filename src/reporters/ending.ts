/** The last block of every run: the table, the outcome, and after a failure what a reader needs to continue. */
import { describeCommit } from '../rollout/commit.js';
import type { ByHand, DeployResult, EndOfCanary, Evidence, RollingCommand, StatusRow } from '../rollout/model.js';
import { utcTime } from '../rollout/utc-time.js';
import type { Palette } from './palette.js';
import { closingSentence } from './phrases.js';
import { statusTable } from './table.js';
import { count, hang } from './text.js';

type Container = Evidence['containers'][number];

export function endingLines(
  result: DeployResult,
  command: RollingCommand,
  { palette, width, ends }: { palette: Palette; width: number; ends?: EndOfCanary | undefined },
): string[] {
  const table = result.rows.length === 0 ? [] : ['', ...statusTable(result.rows, { result: true, width, palette })];
  const paint = { succeeded: palette.good, skipped: palette.good, interrupted: palette.caution, failed: palette.bad };
  const closing = closingSentence(result, command, ends);
  const lines: string[] = [];
  const stopped = result.outcome === 'failed' || result.outcome === 'interrupted';
  // What containers printed comes first: the table and the cause are what a reader must see without scrolling.
  if (stopped) {
    lines.push(...(result.evidence ?? []).flatMap((found) => ['', ...evidenceLines(found, closing, palette)]));
  }
  lines.push(...table, ...notes(result, palette), '', paint[result.outcome](closing), ...probeLines(result, palette));
  if (stopped) lines.push('', result.summary);
  if (stopped || result.next !== undefined || result.ways !== undefined) lines.push(...adviceLines(result, palette));
  return lines;
}

/** "0 of 41 requests to https://… failed, slowest 84 ms." */
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

/** What the table has no room for, except the failure that is printed below it. */
export function notes({ rows, error, evidence = [] }: DeployResult, palette: Palette): string[] {
  return rows.flatMap((row) => {
    const isExplained = row.name === error?.droplet && evidence.some(({ droplet }) => droplet === row.name);
    const isPrintedBelow =
      isExplained || (error !== undefined && [error.message, error.code].includes(row.detail ?? ''));
    return noteLines(isPrintedBelow ? { ...row, detail: undefined } : row, palette);
  });
}

export function noteLines(
  row: Pick<StatusRow, 'name' | 'outSince' | 'byHand' | 'stopped'> & {
    rotation?: StatusRow['rotation'];
    detail?: string | undefined;
  },
  palette: Palette,
): string[] {
  const texts = row.outSince === undefined ? [] : [outNote(row.rotation, row.outSince)];
  if (row.byHand !== undefined) texts.push(byHandNote(row.byHand));
  if (row.stopped !== undefined) texts.push(`${row.stopped.join(', ')} stopped by do-deploy stop`);
  if (row.detail !== undefined) texts.push(row.detail);
  return texts.map((text) => palette.faint(`  ${row.name}: ${hang(text, '    ')}`));
}

function outNote(rotation: StatusRow['rotation'] | undefined, since: string): string {
  if (rotation === 'in') return `recorded as out${since === 'unknown' ? '' : ` since ${since}`}, but still in rotation`;
  return `${rotation === 'none' ? 'being changed' : 'out'} since ${since}`;
}

/** "out by hand (ann@desk, 2026-11-21 07:45:00 UTC): the disk is failing" */
export function byHandNote({ since, who, reason }: ByHand): string {
  return `out by hand (${who}, ${utcTime(since)}): ${reason}`;
}

/** The commits of the releases in a status, each once. */
export function commitLines(rows: readonly StatusRow[], palette: Palette): string[] {
  const lines = rows.flatMap(({ release, commit, dirty }) =>
    commit === undefined ? [] : [palette.faint(`  ${release} is ${describeCommit({ commit, dirty })}`)],
  );
  return [...new Set(lines)];
}

function adviceLines(result: DeployResult, palette: Palette): string[] {
  return [...hints(result), ...nextCommands(result).map(([what, command]) => `${what} ${palette.strong(command)}`)];
}

/** The hint of the failure, unless it only names the next command. */
export function hints({ error, next }: Pick<DeployResult, 'error' | 'next'>): string[] {
  return error?.hint !== undefined && (next === undefined || !error.hint.includes(next)) ? [error.hint] : [];
}

/** What can be typed next, each with what it is for. */
export function nextCommands({ next, ways }: Pick<DeployResult, 'next' | 'ways'>): [string, string][] {
  const commands: [string, string][] = [];
  if (next !== undefined && next !== ways?.forward) commands.push(['Next:', next]);
  if (ways !== undefined) commands.push(['To continue:', ways.forward], ['To go back:', ways.back]);
  return commands;
}

/**
 * Each line of foreign text starts with a bar, so that it cannot pass for do-deploy's own output.
 * @param closing the sentence that ends the run, and often names the cause
 */
export function evidenceLines(
  found: { droplet: string; evidence: Evidence },
  closing: string,
  palette: Palette,
): string[] {
  const { containers, cause, disk } = found.evidence;
  const isNamed = closing.toLowerCase().includes(cause.toLowerCase());
  const quote = (title: string, texts: string[] | undefined) =>
    texts === undefined || texts.length === 0
      ? []
      : [
          `  ${title}`,
          ...withoutRepeats(texts.flatMap((text) => text.trimEnd().split('\n'))).map((line) =>
            palette.faint(`  │ ${line}`),
          ),
        ];
  return [
    `${palette.strong(found.droplet)}: ${isNamed ? 'container output' : cause}`,
    ...containers.flatMap((container) => [
      `  ${containerSentence(container)}`,
      ...quote(`health check output of ${container.service}:`, container.healthOutput),
      ...quote(`last log lines of ${container.service}:`, container.log),
    ]),
    ...(disk === undefined ? [] : [`  disk: ${disk}`]),
  ];
}

/** "GET /healthz 503 (18 times)" instead of 18 such lines. */
function withoutRepeats(lines: readonly string[]): string[] {
  const runs: { line: string; times: number }[] = [];
  for (const line of lines) {
    const last = runs.at(-1);
    if (last?.line === line) last.times += 1;
    else runs.push({ line, times: 1 });
  }
  return runs.map(({ line, times }) => (times === 1 ? line : `${line} (${times} times)`));
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
