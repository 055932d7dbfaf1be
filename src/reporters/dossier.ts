/** What a failed run leaves for whoever looks for the cause later, as files of plain text. Pure. */
import type { DeployEvent, DeployResult } from '../rollout/model.js';
import { utcTime } from '../rollout/utc-time.js';
import { evidenceLines, hints, nextCommands, notes, probeSentences } from './ending.js';
import { createPalette } from './palette.js';
import { closingSentence, openingSentence } from './phrases.js';
import { statusTable } from './table.js';

type EventOf<T extends DeployEvent['type']> = Extract<DeployEvent, { type: T }>;

export interface EndedRun {
  /** Absent if the run ended before it had found the fleet. */
  started?: EventOf<'rollout-started'>;
  finished: EventOf<'rollout-finished'>;
}

export const SUMMARY_FILE = 'summary.txt';
export const EVENTS_FILE = 'events.ndjson';

/** Of one file, in characters. */
const LONGEST_FILE = 1_000_000;

/** A release that fails everywhere fails in the same way. */
const MOST_DROPLETS = 20;

const PLAIN = createPalette(false);
const TABLE = { result: true, width: Number.POSITIVE_INFINITY, palette: PLAIN };

/**
 * The files by their names, besides the events.
 * @param run masked and clean
 */
export function dossierFiles(run: EndedRun): Map<string, string> {
  const { evidence = [] } = run.finished.result;
  const files = new Map<string, string>();
  for (const found of evidence.slice(0, MOST_DROPLETS))
    files.set(nameFor(found.droplet, files), bounded(linesOf(found)));
  return new Map([[SUMMARY_FILE, bounded(summaryLines(run, [...files.keys()]))], ...files]);
}

function linesOf({ droplet, evidence }: NonNullable<DeployResult['evidence']>[number]): string[] {
  const { diagnosis, resources = [], disk } = evidence;
  // The resources say it, too.
  const shown = { droplet, evidence: { ...evidence, disk: resources.length > 0 ? undefined : disk } };
  return [
    ...evidenceLines(shown, '', PLAIN),
    ...resources.map((fact) => `  droplet: ${fact}`),
    ...(diagnosis === undefined ? [] : [`  diagnosis: ${diagnosis.sentence}`, `  remedy: ${diagnosis.remedy}`]),
  ];
}

function summaryLines({ started, finished }: EndedRun, evidenceFiles: readonly string[]): string[] {
  const { result, run, ends, command = started?.command ?? 'deploy' } = finished;
  const of = started === undefined ? [] : [openingSentence(started)];
  const from = started === undefined ? '' : `${utcTime(started.at)} to `;
  return [
    closingSentence(result, command, ends),
    result.summary,
    ...hints(result),
    ...probeSentences(result),
    '',
    ...(result.rows.length === 0 ? [] : [...statusTable(result.rows, TABLE), ...notes(result, PLAIN), '']),
    ...nextCommands(result).flatMap((words) => [words.join(' '), '']),
    ...of,
    `${from}${utcTime(finished.at)}`,
    ...(run === undefined ? [] : [`Run: ${run}`]),
    '',
    ...evidenceFiles.map((name) => `${name}: what was collected from this droplet`),
    `${EVENTS_FILE}: the events of the run, as --json writes them`,
  ];
}

/** The names of droplets come from outside: nothing in one may lead out of the folder. */
function nameFor(droplet: string, taken: ReadonlyMap<string, string>): string {
  const safe =
    droplet
      .replaceAll(/[^A-Za-z0-9.-]/g, '_')
      .replace(/^\.+/, '')
      .slice(0, 100) || 'droplet';
  for (let copy = 1; ; copy += 1) {
    const name = `${safe}${copy === 1 ? '' : `-${copy}`}.evidence.txt`;
    if (!taken.has(name)) return name;
  }
}

function bounded(lines: readonly string[]): string {
  const text = `${lines.join('\n')}\n`;
  return text.length <= LONGEST_FILE ? text : `${text.slice(0, LONGEST_FILE)}\nThis file ends here: it is too long.\n`;
}
