/** A run as one HTML page that needs nothing else: no network, no script. Pure: the same run gives the same page. */
import { createHash } from 'node:crypto';
import { inWords } from '../../durations.js';
import { describeCommit } from '../../rollout/commit.js';
import {
  COMMAND_NOUNS,
  type DeployEvent,
  type DeployResult,
  type DropletOutcome,
  type HistoryEntry,
  type StatusRow,
} from '../../rollout/model.js';
import { utcTime } from '../../rollout/utc-time.js';
import { containerSentence, hints, nextCommands, notes, probeSentences } from '../ending.js';
import { createPalette } from '../palette.js';
import { closingSentence, runTitle } from '../phrases.js';
import { duration } from '../text.js';
import { between, chart, GROUP_NAMES, offset } from './chart.js';
import { type Html, html, named } from './html.js';
import { STYLE } from './style.js';
import { type StepGroup, type Timeline, timelineOf } from './timeline.js';

/** In the head of every report: by it, an older report is known from a file that is something else. */
export const REPORT_MARK = '<meta name="generator" content="do-deploy report">';

/** Of what containers printed, and of what happened, in characters: they are most of a page. */
const MOST_EVIDENCE = 150_000;
const MOST_REMARKS = 100_000;
const MOST_NOTES = 50_000;

/** Rows of a table in words. */
const MOST_ROWS = 400;

/** Of one cell or line, in characters. */
const LONGEST_TEXT = 1_000;

const PLAIN = createPalette(false);

type Outcome = DeployResult['outcome'] | 'no end';

/**
 * The page about a run whose events are known.
 * @param events masked and clean
 * @param entry of the history, if the run is in it
 */
export function reportOfRun(events: readonly DeployEvent[], entry?: HistoryEntry): string {
  const timeline = timelineOf(events);
  const { started, finished } = timeline;
  const result = finished?.result;
  const outcome = result?.outcome ?? 'no end';
  const command = finished?.command ?? started?.command ?? 'deploy';
  const title = started === undefined ? COMMAND_NOUNS[command] : runTitle(started);
  const closing =
    finished === undefined
      ? 'The record of this run has no end: the run was killed, or it is still going on.'
      : closingSentence(finished.result, command, finished.ends);
  const releases = releasesOf(timeline);
  return page(
    `${title}: ${outcome}`,
    html`${heading(title, outcome, closing)}
${result === undefined ? undefined : whatNow(result)}
${facts([
  ['Environment', started && `${started.app} on ${started.environment}`],
  ['Target', started?.target],
  ['Began', Number.isFinite(timeline.from) ? utcTime(new Date(timeline.from).toISOString()) : undefined],
  ['Took', result && inWords(result.durationMs)],
  ['Release', releaseWords(timeline, releases)],
  ['Run', finished?.run ?? entry?.run],
  ['CI run', entry?.url],
  ['Probe', result && probeSentences(result)[0]],
])}
<h2>Over time</h2>
${chart(timeline, releases)}
<h2>Droplets</h2>
${statusOf(timeline, result)}
${evidenceOf(result)}
<h2>What happened</h2>
${remarksOf(timeline)}
<details>
<summary><h2>The charts in words</h2></summary>
${timesOf(timeline)}
${changesOf(timeline, releases)}
${probesOf(timeline)}
</details>`,
  );
}

/** The page about a run of which only its line in the history is here. */
export function reportOfEntry(entry: HistoryEntry, why: string): string {
  const { command, imageTag, outcome, error, environment, commit, dirty, probes } = entry;
  const title = `${command} ${imageTag}${environment === undefined ? '' : ` on ${environment}`}`;
  const failed =
    error === undefined
      ? ''
      : `: ${error.code}${error.droplet === undefined ? '' : ` on ${error.droplet}`}${error.step === undefined ? '' : `, at the step ${error.step}`}`;
  const closing = `${outcome} after ${inWords(entry.durationMs)}${failed}.`;
  return page(
    `${title}: ${outcome}`,
    html`${heading(title, outcome, closing)}
<p class="note">${why} This is what the history on the droplets has of the run; it holds no steps, probes by time, or logs.</p>
${facts([
  ['Ended', utcTime(entry.at)],
  ['Took', inWords(entry.durationMs)],
  ['By', entry.who],
  ['CI run', entry.url],
  ['Run', entry.run],
  ['Release', entry.release || undefined],
  ['Image tag', imageTag],
  ['Commit', commit && describeCommit({ commit, dirty })],
  ['Droplets', entry.droplets && `${entry.droplets.length}: ${entry.droplets.join(', ')}`],
  ['Skipped', entry.skipped?.join(', ')],
  ['Held on', entry.held?.join(', ')],
  ['Confirmed', entry.confirmed?.join(', ')],
  ['Probe', probes && `${probes.failed} of ${probes.total} requests failed`],
])}`,
  );
}

function page(title: string, body: Html): string {
  const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;
  const head = html`<title>${title}</title>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
${REPORT_MARK}
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
${head.text}
<style>${STYLE}</style>
</head>
<body>
<main>
${body.text}
<footer>Made by do-deploy. Times are UTC, and in charts and tables since the run began.</footer>
</main>
</body>
</html>
`;
}

const OUTCOME_CLASSES: Readonly<Record<Outcome, string>> = {
  succeeded: 'good',
  skipped: 'good',
  failed: 'bad-text',
  interrupted: 'caution',
  'no end': 'caution',
};

function heading(title: string, outcome: Outcome, closing: string): Html {
  return html`<h1>${title}</h1>
<p class="outcome"><span class="badge ${OUTCOME_CLASSES[outcome] ?? 'caution'}">${outcome}</span>${cut(closing)}</p>`;
}

function facts(all: readonly (readonly [string, string | undefined])[]): Html {
  const known = all.flatMap(([name, value]) => (value ? [html`<dt>${name}</dt><dd>${named(cut(value))}</dd>`] : []));
  return html`<dl>${known}</dl>`;
}

/** The state of the fleet, and what to type next. */
function whatNow(result: DeployResult): Html | undefined {
  const { outcome, summary } = result;
  const isStopped = outcome === 'failed' || outcome === 'interrupted';
  const says = isStopped ? [summary, ...hints(result)].filter(Boolean) : [];
  const commands = nextCommands(result);
  if (says.length === 0 && commands.length === 0) return undefined;
  return html`<div class="${outcome === 'failed' ? 'why' : 'note'}">${says.map((text) => html`<p>${cut(text)}</p>`)}${commands.map(([what, line]) => html`<p>${what} <code>${line}</code></p>`)}</div>`;
}

/** In the order in which they come; '' is not among them. */
function releasesOf({ versions }: Timeline): string[] {
  return [...new Set(versions.flatMap(({ droplets }) => [...droplets.keys()]))].filter(Boolean);
}

function releaseWords({ started, finished }: Timeline, releases: readonly string[]): string | undefined {
  const release = finished?.result.release ?? started?.release;
  if (release === undefined || release.id === '') return undefined;
  const { commit, dirty } = release;
  const before = releases.filter((one) => one !== release.id).join(', ');
  const after = commit === undefined ? release.id : `${release.id} (${describeCommit({ commit, dirty })})`;
  return before === '' ? after : `${before} → ${after}`;
}

/** A table that a keyboard can scroll where the page is narrow. */
function table(
  caption: string,
  headings: readonly string[],
  rows: readonly (readonly (string | Html)[])[],
  total = rows.length,
): Html {
  const more = total > rows.length ? ` Only the first ${rows.length} of ${total} rows are here.` : '';
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}${more}</caption>
<thead><tr>${headings.map((one) => html`<th scope="col">${one}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ([
    first = '',
    ...others
  ]) => html`<tr><th scope="row" class="${isLong(first) ? '' : 'nowrap'}">${cell(first)}</th>${others.map((one) => html`<td>${cell(one)}</td>`)}</tr>
`,
)}</tbody>
</table></div>`;
}

/** It would push the other columns off a narrow page. */
function isLong(value: string | Html): boolean {
  return typeof value === 'string' && value.length > 24;
}

function cell(value: string | Html): Html {
  return typeof value === 'string' ? named(cut(value)) : value;
}

const OUTCOMES_OF_DROPLETS: Partial<Record<DropletOutcome, string>> = {
  deployed: 'good',
  'up to date': 'good',
  reverted: 'caution',
  'taken out': 'caution',
  skipped: 'caution',
  'deploy failed': 'bad-text',
  unfinished: 'bad-text',
};

function statusOf({ rows }: Timeline, result: DeployResult | undefined): Html {
  if (rows.length === 0) return html`<p>The run ended before it knew the droplets.</p>`;
  const hasRoles = rows.some(({ role }) => role !== undefined);
  // What matters most comes first: on a phone the last columns are out of sight.
  const headings = ['Droplet', 'Result', 'Rotation', 'Health', 'Release', ...(hasRoles ? ['Role'] : []), 'Address'];
  const cells = ({ name, role, address, rotation, release, health, outcome }: StatusRow) => [
    name,
    html`<span class="${OUTCOMES_OF_DROPLETS[outcome] ?? ''}">${outcome}</span>`,
    ...[rotation === 'none' ? '-' : rotation, health, release],
    ...(hasRoles ? [role ?? ''] : []),
    address,
  ];
  const said = result === undefined ? [] : notes(result, PLAIN).map((note) => html`<li>${cut(note.trim())}</li>`);
  const list = said.length === 0 ? undefined : html`<ul>${fitting(said, MOST_NOTES)}</ul>`;
  return html`${table('Each droplet at the end of the run', headings, rows.map(cells))}${list}`;
}

/** What was collected from failed droplets, while there is room. */
function evidenceOf(result: DeployResult | undefined): Html | undefined {
  const { evidence: all = [] } = result ?? {};
  if (all.length === 0) return undefined;
  const sections = all.map(({ droplet, evidence }) => {
    const { cause, containers, disk, resources = disk === undefined ? [] : [disk], diagnosis } = evidence;
    return html`<h3>${named(droplet)}: ${cut(cause)}</h3>
${diagnosis === undefined ? undefined : html`<p>${cut(diagnosis.sentence)} ${cut(diagnosis.remedy)}</p>`}
${resources.map((fact) => html`<p class="muted">${cut(fact)}</p>`)}
${containers.map(
  (container) => html`<p>${cut(containerSentence(container))}</p>
${quote('Output of its health check', container.healthOutput)}${quote('Last lines of its log', container.log)}`,
)}`;
  });
  const shown = fitting(sections, MOST_EVIDENCE);
  if (shown.length < sections.length)
    shown.push(
      html`<p>There is more than this page has room for: see the log of the run, and the folder that a failed run leaves beside it.</p>`,
    );
  return html`<h2>Evidence of the failure</h2>
${shown}`;
}

function quote(title: string, lines: readonly string[] | undefined): Html | undefined {
  if (lines === undefined || lines.length === 0) return undefined;
  return html`<p class="muted">${title}:</p><pre tabindex="0">${lines.join('\n')}</pre>`;
}

const LEVELS: Readonly<Record<string, string>> = { warning: 'caution', failure: 'bad-text', good: 'good' };

function remarksOf({ remarks, from }: Timeline): Html {
  const all = remarks.map(({ at, text, level, droplet }) => {
    const about = droplet === undefined ? undefined : html`${named(droplet)}: `;
    return html`<tr><th scope="row" class="nowrap">${offset(at - from)}</th><td class="${LEVELS[level] ?? ''}">${about}${cut(text)}</td></tr>
`;
  });
  const rows = fitting(all, MOST_REMARKS);
  const rest = all.length - rows.length;
  if (rest > 0) rows.push(html`<tr><th scope="row">…</th><td>${rest} more lines are in the log of the run.</td></tr>`);
  return html`<table><caption>Phases, batches, warnings and failures</caption><thead><tr><th scope="col">After</th><th scope="col">What</th></tr></thead><tbody>
${rows}</tbody></table>`;
}

/** Times of each droplet by kind of step. */
function timesOf(timeline: Timeline): Html | undefined {
  const { droplets, from } = timeline;
  if (droplets.length === 0) return undefined;
  const groups = (Object.keys(GROUP_NAMES) as StepGroup[]).filter((group) =>
    droplets.some(({ bars }) => bars.some((bar) => bar.group === group)),
  );
  const rows = droplets.map(({ name, bars }) => [
    name,
    ...groups.map((group) =>
      bars
        .filter((bar) => bar.group === group)
        .map((bar) => `${between(bar, { from })}${bar.back ? ', back' : ''}${bar.end === 'done' ? '' : `, ${bar.end}`}`)
        .join('; '),
    ),
  ]);
  return table(
    'From when to when each droplet was at what',
    ['Droplet', ...groups.map((one) => GROUP_NAMES[one])],
    rows,
  );
}

/** What the lanes of rotation and releases show. */
function changesOf({ rotation, versions, from }: Timeline, releases: readonly string[]): Html {
  const ofRotation = rotation.map(({ role, points }) => {
    const rows = points.map((one) => [
      offset(one.at - from),
      `${one.inRotation} of ${one.total}`,
      String(one.floor ?? '-'),
    ]);
    const of = role === undefined ? '' : ` of ${role}`;
    return table(`Droplets${of} in rotation`, ['From', 'In rotation', 'Floor'], rows.slice(0, MOST_ROWS), rows.length);
  });
  const shown = releases.slice(0, 10);
  const rows = versions.map(({ at, droplets }) => [
    offset(at - from),
    ...shown.map((release) => String(droplets.get(release) ?? 0)),
    String(droplets.get('') ?? 0),
  ]);
  const headings = ['From', ...shown, 'not known'];
  const ofVersions =
    versions.length === 0
      ? undefined
      : table('Droplets that run each release', headings, rows.slice(0, MOST_ROWS), rows.length);
  return html`${ofRotation}${ofVersions}`;
}

/** Where requests failed, or else the slowest. */
function probesOf({ probes, from }: Timeline): Html | undefined {
  if (probes.length === 0) return undefined;
  const failed = probes.filter((one) => one.failed > 0);
  const shown = failed.length > 0 ? failed : [...probes].sort((a, b) => b.slowestMs - a.slowestMs).slice(0, 10);
  const rows = shown.map((one) => [
    between(one, { from }),
    String(one.total),
    String(one.failed),
    duration(one.slowestMs),
  ]);
  const caption =
    failed.length > 0
      ? 'When requests to the public address failed'
      : 'No request to the public address failed. The slowest answers';
  return table(caption, ['When', 'Requests', 'Failed', 'Slowest answer'], rows.slice(0, MOST_ROWS), rows.length);
}

/** As many as there is room for, from the first on. */
function fitting(pieces: readonly Html[], room: number): Html[] {
  let left = room;
  const end = pieces.findIndex(({ text }) => {
    left -= text.length;
    return left < 0;
  });
  return pieces.slice(0, end < 0 ? undefined : end);
}

function cut(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}…`;
}
