/** What commands print besides the events of a rollout: typed values, here turned into lines or JSON. */
import { shortHash } from '../rollout/commit.js';
import type { DoctorReport } from '../rollout/doctor.js';
import type { EnvironmentRow, TagRow } from '../rollout/match-tags.js';
import type { HistoryEntry, StatusRow, Ways } from '../rollout/model.js';
import type { RolloutPlan } from '../rollout/plan.js';
import { isCanaryWell } from '../rollout/status-rows.js';
import { bootstrapLines, type ShownBootstrap } from './bootstrap-lines.js';
import { doctorLines } from './doctor-lines.js';
import { bakeLines, driftLines, type OwedBake, type ShownDrift } from './drift-lines.js';
import { commitLines, noteLines } from './ending.js';
import { initLines, type ShownInit } from './init-lines.js';
import type { Palette } from './palette.js';
import { planLines } from './plan-lines.js';
import { historyTable, statusTable } from './table.js';
import { tagLines } from './tag-lines.js';
import { widthOf } from './text.js';

/** `type` is also the type of the JSON object, where it is not `text`. docs/events.md describes them. */
export type Output =
  | ({ type: 'status' } & ShownStatus)
  | ({ type: 'drift' } & ShownDrift)
  /** Newest first. */
  | { type: 'history'; entries: HistoryEntry[] }
  | { type: 'tags'; tags: TagRow[]; environments: EnvironmentRow[] }
  | { type: 'tagged'; name: string; commit: string; committed: string[] }
  | { type: 'locks'; environment: string; rows: ShownLock[] }
  | ({ type: 'bootstrap' } & ShownBootstrap)
  | ({ type: 'init' } & ShownInit)
  | ({ type: 'plan' } & RolloutPlan)
  | ({ type: 'doctor' } & DoctorReport)
  | { type: 'settings'; app: string; environment: string; rows: ShownSetting[] }
  | { type: 'log'; line: ShownLogLine; place: LogPlace }
  /** For people only: with --json it goes to standard error. */
  | { type: 'text'; lines: readonly string[] };

interface ShownStatus {
  heading: string;
  rows: StatusRow[];
  /** Why it is not clear which release the fleet is on, as a sentence. */
  dispute?: string;
  /** The command that says more of it. */
  see?: string;
  /** The command that repairs droplets, unless a deploy is running. */
  next?: string;
  bake?: OwedBake;
  /** The commands that end a held canary. */
  ways?: Ways;
}

/** A setting, and where it comes from. */
export interface ShownSetting {
  key: string;
  value: string;
  from: string;
}

/** A line that a container printed. */
export interface ShownLogLine {
  /** With nine digits of the second. */
  time: string;
  droplet: string;
  service: string;
  container: string;
  stream: 'stdout' | 'stderr';
  text: string;
}

/** For people. */
export interface LogPlace {
  /** Which of the colours. */
  color: number;
  /** Width of the widest name so far, in columns. */
  width: number;
}

export interface ShownLock {
  droplet: string;
  state: 'free' | 'held' | 'broken' | 'unknown';
  holder?: { run: string; app?: string; who: string; release: string; since: string; url?: string };
  detail?: string;
}

/** Columns; what is wider does not push the other origins away. */
const WIDEST_SETTING = 60;

/** A title and a body, with an empty line before the next one. */
export function isBlock({ type }: Output): boolean {
  return type === 'status' || type === 'drift' || type === 'plan' || type === 'doctor';
}

export function outputLines(output: Output, options: { palette: Palette; width: number }): readonly string[] {
  const { palette, width } = options;
  switch (output.type) {
    case 'status': {
      const { heading, rows, dispute, see, bake, next, ways } = output;
      const notes = [...rows.flatMap((row) => noteLines(row, palette)), ...commitLines(rows, palette)];
      const advice = dispute === undefined ? [] : [palette.caution(dispute)];
      if (see !== undefined) advice.push(`See: ${palette.strong(see)}`);
      if (next !== undefined) advice.push(`Unless a deploy is running, repair it: ${palette.strong(next)}`);
      if (bake !== undefined) advice.push(...bakeLines(bake, 'Unless a deploy is running, make up for it', palette));
      if (ways !== undefined) advice.push(...canaryLines(rows, ways, palette));
      return [palette.strong(heading), ...statusTable(rows, { result: false, width, palette }), ...notes, ...advice];
    }
    case 'drift':
      return driftLines(output, palette);
    case 'history':
      return output.entries.length === 0 ? ['Nothing was deployed yet.'] : historyTable(output.entries, options);
    case 'tags':
      return tagLines(output.tags, output.environments, options);
    case 'tagged':
      return [`${output.name} is commit ${shortHash(output.commit)}, here only. To push it: git push --follow-tags`];
    case 'locks':
      return output.rows.map(lockLine);
    case 'settings':
      return settingLines(output.rows, palette);
    case 'plan':
      return planLines(output, palette);
    case 'doctor':
      return doctorLines(output, palette);
    case 'bootstrap':
      return bootstrapLines(output, palette);
    case 'init':
      return initLines(output, palette);
    case 'log':
      return [logLine(output.line, output.place, palette)];
    case 'text':
      return output.lines;
  }
}

function canaryLines(rows: readonly StatusRow[], ways: Ways, palette: Palette): string[] {
  const held = rows.filter(({ canary }) => canary);
  const [imageTag = ''] = held.flatMap(({ canaryTag }) => canaryTag ?? []);
  return [
    `A canary${imageTag && ` of ${imageTag}`} is held on ${held.map(({ name }) => name).join(', ')}.`,
    `${isCanaryWell(rows) ? 'To roll it out' : 'To finish it'}: ${palette.strong(ways.forward)}`,
    `To take it back: ${palette.strong(ways.back)}`,
  ];
}

/** The objects for --json: a line each. */
export function outputObjects(output: Exclude<Output, { type: 'text' }>): object[] {
  if (output.type === 'history') return output.entries.map((entry) => ({ schema: 2, type: 'history', ...entry }));
  if (output.type === 'log') return [{ schema: 2, type: 'log', ...output.line }];
  return [{ schema: 2, ...output }];
}

/** `web-1 app   | text` */
export function logLine({ droplet, service, text }: ShownLogLine, place: LogPlace, { names }: Palette): string {
  const paint = names[place.color % names.length] ?? names[0];
  const label = `${droplet} ${service}`;
  return `${paint(`${label}${' '.repeat(Math.max(0, place.width - widthOf(label)))} |`)} ${text}`;
}

/** `rollout.batch: 1  # default` */
function settingLines(rows: readonly ShownSetting[], palette: Palette): string[] {
  const texts = rows.map(({ key, value }) => `${key}: ${value}`);
  const width = Math.max(0, ...texts.map(widthOf).filter((columns) => columns <= WIDEST_SETTING));
  return rows.map(({ from }, index) => {
    const text = texts[index] ?? '';
    return `${text}${' '.repeat(Math.max(0, width - widthOf(text)))}  ${palette.faint(`# ${from}`)}`;
  });
}

/** `web-1: held: ann@laptop, release …, since …` */
function lockLine({ droplet, state, holder, detail }: ShownLock): string {
  const by = holder && [
    holder.who,
    ...(holder.release ? [`release ${holder.release}`] : []),
    `since ${holder.since}`,
    ...(holder.url ? [holder.url] : []),
  ];
  return [`${droplet}: ${state}`, ...(by ? [by.join(', ')] : []), ...(detail ? [detail] : [])].join(': ');
}
