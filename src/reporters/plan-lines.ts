/** The output of `plan`. */
import { inWords } from '../durations.js';
import type {
  PlanFinding,
  PlannedBatch,
  PlannedDifference,
  PlannedFile,
  PlannedImage,
  RolloutPlan,
} from '../rollout/plan.js';
import { sizeText } from '../sizes.js';
import type { Palette } from './palette.js';
import { versionWords } from './phrases.js';
import { count } from './text.js';

/** Names in one line. */
const MOST_NAMED = 6;

export function planLines(plan: RolloutPlan, palette: Palette): string[] {
  const { app, environment, command, release, changes, findings, next, target } = plan;
  const refused = findings.filter(({ kind }) => kind === 'refused');
  const verb = command === 'deploy' ? 'deploy' : 'roll back to';
  const what = release.imageTag === '' ? command : `${verb} ${versionWords(release)}`;
  const id = release.id === '' ? '' : `, release ${release.id}`;
  return [
    palette.strong(`${app}: ${environment}: ${what}${id}`),
    ...(target === '' ? [] : [`  ${target}`]),
    ...apart(plan, palette),
    ...plan.differences.flatMap((one) => differenceLines(one, palette)),
    ...plan.batches.flatMap((batch, index) => batchLines(batch, index, palette)),
    ...(plan.bakeMs ? [`  then ${inWords(plan.bakeMs)} in which it is only watched`] : []),
    ...programLines(plan),
    ...(plan.batches.length === 0 ? [] : [timeLine(plan)]),
    ...findings.flatMap((finding) => findingLines(finding, palette)),
    '',
    endLine(changes, refused.length, next, palette),
  ];
}

function endLine(changes: boolean, refused: number, next: string, palette: Palette): string {
  const nothing = 'This was only looked at: nothing was changed.';
  if (refused > 0) return palette.bad(`It would be refused, for ${count(refused, 'reason')} (above). ${nothing}`);
  if (!changes) return palette.good(`Nothing to do. ${nothing}`);
  return `${nothing} To do it: ${palette.strong(next)}`;
}

/** Droplets that do not take part, and those that are not well. */
function apart({ droplets }: RolloutPlan, palette: Palette): string[] {
  const words = { nothing: 'nothing to do', held: 'keeps its release', 'not reached': 'not reached' } as const;
  return droplets.flatMap(({ name, action, health, release }) => {
    const sick = health === 'healthy' ? '' : `, ${health}`;
    if (action === 'deployed') return sick === '' ? [] : [palette.caution(`  ${name}: not healthy now: ${health}`)];
    if (action === 'taken out by hand') return [];
    const line = `  ${name}: ${words[action]}${action === 'held' ? ` ${release}` : ''}${sick}`;
    return [sick === '' ? palette.faint(line) : palette.caution(line)];
  });
}

function few(names: readonly string[]): string {
  if (names.length <= MOST_NAMED) return names.join(', ');
  return `${names.slice(0, MOST_NAMED).join(', ')} and ${names.length - MOST_NAMED} more`;
}

function differenceLines(difference: PlannedDifference, palette: Palette): string[] {
  const { droplets, files, images, services, pullBytes } = difference;
  const shown = images.filter((image) => image.from !== image.to || image.unknown !== undefined);
  const size =
    pullBytes === undefined
      ? []
      : [`  pull     ${pullBytes === 0 ? 'nothing: every layer is there' : `${sizeText(pullBytes)} compressed`}`];
  const lines = [
    ...files.flatMap((file) => fileLines(file, palette)),
    ...shown.map(imageLine),
    ...size,
    ...services.map(({ service, action, because }) => `  service  ${service}: ${action} (${because})`),
  ];
  return ['', palette.strong(few(droplets)), ...(lines.length === 0 ? ['  the same files and images'] : lines)];
}

function fileLines({ path, change, diff, isPrivate, variables }: PlannedFile, palette: Palette): string[] {
  const names = variables && [
    ...variables.added.map((name) => `+${name}`),
    ...variables.changed.map((name) => `~${name}`),
    ...variables.removed.map((name) => `-${name}`),
  ];
  const note = names ? ` (${names.join(' ') || 'no variable differs'})` : isPrivate ? ' (private: not shown)' : '';
  const paint = (line: string) =>
    line.startsWith('+') ? palette.good(line) : line.startsWith('-') ? palette.bad(line) : palette.faint(line);
  return [
    `  file     ${path}: ${change}${note}`,
    ...(diff === undefined || diff === '' ? [] : diff.split('\n').map((line) => `           ${paint(line)}`)),
  ];
}

function imageLine({ service, reference, from, to, unknown }: PlannedImage): string {
  const old = from === undefined ? 'none' : shortDigest(from);
  const now = to === undefined ? `not known (${unknown})` : shortDigest(to);
  return `  image    ${service}: ${reference}: ${old} → ${now}`;
}

/** As long as people can tell apart: `sha256:0123456789ab`. */
function shortDigest(pinned: string): string {
  const digest = /sha256:[0-9a-f]{64}$/.exec(pinned)?.[0];
  return digest === undefined ? pinned : digest.slice(0, 'sha256:'.length + 12);
}

function batchLines(batch: PlannedBatch, index: number, palette: Palette): string[] {
  const { role, droplets, leaving, serving, floor, of, pauseMs } = batch;
  const rest = droplets.filter((name) => !leaving.includes(name));
  const out = [
    ...(leaving.length > 0 ? [`${few(leaving)} ${leaving.length === 1 ? 'leaves' : 'leave'} rotation`] : []),
    ...(rest.length > 0 ? [`${few(rest)} ${rest.length === 1 ? 'does' : 'do'} not serve now`] : []),
  ].join('; ');
  return [
    ...(index === 0 ? ['', palette.strong('order')] : []),
    `  ${role === undefined ? '' : `${role}: `}${index + 1}. ${out}; ${serving} of ${of} serve meanwhile, floor ${floor}`,
    ...(pauseMs ? [`     then a pause of ${inWords(pauseMs)}`] : []),
  ];
}

function programLines({ programs }: RolloutPlan): string[] {
  return programs.length === 0 ? [] : ['', ...programs.map(({ at, name }) => `  runs     at ${at}: ${name}`)];
}

function timeLine({ estimate }: RolloutPlan): string {
  if (estimate === undefined) return '  time     unknown: no past run';
  return `  time     about ${inWords(estimate.ms)}, by ${count(estimate.runs, 'past run')}`;
}

function findingLines(finding: PlanFinding, palette: Palette): string[] {
  const { message, droplet } = finding;
  const where = droplet === undefined || message.includes(droplet) ? '' : `${droplet}: `;
  if (finding.kind === 'note') return [`  note     ${where}${message}`];
  const { hint } = finding;
  return [`  ${palette.bad('refused')}  ${where}${message}`, ...(hint === undefined ? [] : [`           ${hint}`])];
}
