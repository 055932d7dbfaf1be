/**
 * The charts of a report: lanes under one another on one time axis. Positions along it are percentages, so a chart is as wide as the
 * page; heights are pixels. Nothing needs a script.
 */
import { duration, truncate } from '../text.js';
import { type Html, html } from './html.js';
import type { Bar, DropletLine, ProbeSpan, RotationLine, Span, StepGroup, Timeline, VersionPoint } from './timeline.js';

/** More pieces in a lane could not be told apart, and would make the page large. */
const MOST_PIECES = 250;

/** On a phone more labels would touch one another. */
const MOST_TICKS = 6;

const MOST_CROSSES = 30;

/** With more droplets than these a page says less of each. */
const MANY = 100;

const LANE = 56;

/** What a bar is called, and what its steps are. */
export const GROUP_NAMES: Readonly<Record<StepGroup, string>> = {
  stage: 'staging',
  leave: 'leaving and draining',
  switch: 'starting containers',
  verify: 'checking',
  rejoin: 'rejoining and settling',
  other: 'other',
};

const PHASE_NAMES: Readonly<Record<Timeline['phases'][number]['phase'], string>> = {
  discover: 'Find',
  lease: 'Lock',
  stage: 'Stage',
  roll: 'Roll',
  finish: 'Finish',
};

/** Where times stand on the axis. */
class Scale {
  readonly #from: number;
  readonly #ms: number;

  constructor({ from, to }: Span) {
    this.#from = from;
    this.#ms = Math.max(1, to - from);
  }

  x(at: number): string {
    return percent(this.#place(at));
  }

  /** So that a piece ends exactly where the next one begins, and a short one can be seen. */
  extent({ from, to }: Span): { x: string; width: string } {
    const [start, end] = [this.#place(from), this.#place(to)];
    const width = Math.max(LEAST_WIDTH, end - start);
    return { x: percent(Math.min(start, 100 - width)), width: percent(width) };
  }

  /** In percent. */
  #place(at: number): number {
    return rounded(Math.min(100, Math.max(0, ((at - this.#from) / this.#ms) * 100)));
  }

  /** Times from the start of the run that have a label, in ms. */
  ticks(): number[] {
    const step = TICK_STEPS.find((ms) => this.#ms / ms <= MOST_TICKS) ?? Math.ceil(this.#ms / MOST_TICKS / DAY) * DAY;
    return Array.from({ length: Math.floor(this.#ms / step) + 1 }, (_, index) => index * step);
  }

  /** Text that is centred there would stand out of the chart. */
  isAtEnd(at: number): boolean {
    return (at - this.#from) / this.#ms > 0.97;
  }

  get from(): number {
    return this.#from;
  }

  get ms(): number {
    return this.#ms;
  }
}

const DAY = 86_400_000;

const TICK_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
].map((seconds) => seconds * 1_000);

/** In percent. */
const LEAST_WIDTH = 0.15;

function percent(value: number): string {
  return `${rounded(value)}%`;
}

function rounded(value: number): number {
  return Number(value.toFixed(3));
}

/** "0:07", "1:02:07": how far into the run. */
export function offset(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  const [hours, minutes, rest] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Also the names of releases and their colours, in the order in which they come. */
export function chart(timeline: Timeline, releases: readonly string[]): Html {
  const scale = new Scale(timeline);
  const axis = axisLane(scale);
  const many = timeline.droplets.length > 15;
  return html`<figure class="chart">
${axis}
${phaseLane(timeline, scale)}
${timeline.rotation.map((line, index) => rotationLane(line, index, timeline, scale))}
${timeline.probes.length === 0 ? undefined : probeLane(timeline, scale)}
${timeline.versions.length === 0 ? undefined : versionLane(timeline, scale, releases)}
${versionLegend(releases)}
${timeline.droplets.length === 0 ? undefined : dropletLane(timeline, scale)}
${many ? axis : undefined}
${timeline.droplets.length === 0 ? undefined : barLegend(timeline.rests.length)}
<figcaption>Minutes and seconds since the run began. The tables at the end hold the same in words.</figcaption>
</figure>`;
}

/** @param body what the graphic shows, besides its grid */
function lane(
  { id, label, title, desc, height }: { id: string; label: Html; title: string; desc: string; height: number },
  { marks }: Pick<Timeline, 'marks'>,
  scale: Scale,
  body: readonly Html[],
): Html {
  const grid = scale.ticks().map((ms) => {
    const x = scale.x(scale.from + ms);
    return html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${height}"/>`;
  });
  const lines = marks.slice(0, 20).map((at) => {
    const x = scale.x(at);
    return html`<line class="mark" x1="${x}" x2="${x}" y1="0" y2="${height}"/>`;
  });
  return html`<div class="lane"><div class="label">${label}</div><svg role="img" aria-labelledby="${id}-t ${id}-d" width="100%" height="${height}"><title id="${id}-t">${title}</title><desc id="${id}-d">${desc}</desc>${grid}${body}${lines}</svg></div>`;
}

function axisLane(scale: Scale): Html {
  const ticks = scale.ticks().map((ms, index) => {
    const place = (ms / scale.ms) * 100;
    const anchor = index === 0 ? 'start' : place > 96 ? 'end' : 'middle';
    return html`<text class="tick" x="${percent(place)}" y="14" text-anchor="${anchor}">${offset(ms)}</text>`;
  });
  return html`<div class="lane axis" aria-hidden="true"><div class="label"></div><svg width="100%" height="20">${ticks}</svg></div>`;
}

function phaseLane(timeline: Timeline, scale: Scale): Html {
  const phases = timeline.phases.map((one) => {
    const name = PHASE_NAMES[one.phase] ?? one.phase;
    const wide = (one.to - one.from) / scale.ms > 0.17;
    const text = wide
      ? html`<text class="in" x="${scale.x((one.from + one.to) / 2)}" y="15" text-anchor="middle">${name}</text>`
      : undefined;
    return html`${rect(scale, one, 3, 18, 'phase', `${name}: ${between(one, scale)}`)}${text}`;
  });
  const rests = timeline.rests.map((one) => rect(scale, one, 17, 4, 'rest', `${one.rest}: ${between(one, scale)}`));
  const desc = [...timeline.phases.map((one) => `${PHASE_NAMES[one.phase] ?? one.phase}: ${between(one, scale)}.`)];
  const label = html`<b>Phases</b>`;
  return lane({ id: 'phases', label, title: 'Phases of the run', desc: desc.join(' '), height: 24 }, timeline, scale, [
    ...phases,
    ...rests,
  ]);
}

/** "0:07–0:19, 12 s" */
export function between({ from, to }: Span, { from: start }: Pick<Span, 'from'>): string {
  return `${offset(from - start)}–${offset(to - start)}, ${duration(to - from)}`;
}

function rect(scale: Scale, span: Span, y: number, height: number, className: string, title?: string): Html {
  const named = title === undefined ? undefined : html`<title>${title}</title>`;
  const { x, width } = scale.extent(span);
  return html`<rect class="${className}" x="${x}" y="${y}" width="${width}" height="${Number(height.toFixed(1))}">${named}</rect>`;
}

function rotationLane({ role, points }: RotationLine, index: number, timeline: Timeline, scale: Scale): Html {
  const spans = spansOf(
    thinned(points, (a, b) => (a.inRotation <= b.inRotation ? a : b)),
    timeline.to,
  );
  const most = Math.max(1, ...points.map(({ total }) => total));
  const fewest = Math.min(...points.map(({ inRotation }) => inRotation));
  const highest = Math.max(...points.map(({ floor }) => floor ?? -1));
  const base = baseOf(Math.min(fewest, highest < 0 ? fewest : highest), most);
  const y = (droplets: number) => LANE - 4 - ((Math.max(droplets, base) - base) / (most - base)) * (LANE - 8);
  const bars = spans.flatMap((one) => {
    const isBelow = one.floor !== undefined && one.inRotation < one.floor;
    const title = `${one.inRotation} of ${one.total} in rotation${one.floor === undefined ? '' : `, floor ${one.floor}`}: ${between(one, scale)}`;
    return [
      rect(scale, one, y(one.total), y(base) - y(one.total), 'fleet', title),
      rect(scale, one, y(one.inRotation), y(base) - y(one.inRotation), isBelow ? 'below' : 'serving', title),
    ];
  });
  const floors = spans.flatMap(({ from, to, floor }) => {
    if (floor === undefined) return [];
    const [x1, x2, height] = [scale.x(from), scale.x(to), y(floor).toFixed(1)];
    return [html`<line class="floor" x1="${x1}" x2="${x2}" y1="${height}" y2="${height}"/>`];
  });
  const floor = highest < 0 ? 'no floor was in force' : `the floor was ${highest}`;
  const of = role === undefined ? '' : ` of ${role}`;
  const desc = `At the fewest ${fewest} of ${most} droplets${of} were in rotation; ${floor}.`;
  const label = html`<b>In rotation</b> ${role === undefined ? undefined : html`<bdi>${role}</bdi>`}<small>${fewest}–${most}${highest < 0 ? '' : `, floor ${highest} (dashed)`}${base === 0 ? '' : `, drawn from ${base}`}</small>`;
  const title = `Droplets${of} in rotation, against the floor`;
  return lane({ id: `rotation-${index}`, label, title, desc, height: LANE }, timeline, scale, [...bars, ...floors]);
}

/** Where the lane begins: with many droplets, one of them would not show on a scale from 0. */
function baseOf(lowest: number, most: number): number {
  return most > 12 ? Math.max(0, lowest - (most - lowest) - 1) : 0;
}

function probeLane(timeline: Timeline, scale: Scale): Html {
  const probes = merged(timeline.probes);
  const slowest = Math.max(1, ...probes.map(({ slowestMs }) => slowestMs));
  const bars = probes.flatMap((one) => {
    const height = Math.max(1.5, (one.slowestMs / slowest) * (LANE - 8));
    const failed = one.failed === 0 ? '' : `, ${one.failed} failed`;
    const title = `${one.total} requests${failed}, slowest ${one.slowestMs} ms: ${between(one, scale)}`;
    const bar = rect(scale, one, LANE - 4 - height, height, one.failed === 0 ? 'probe' : 'bad', title);
    return one.failed === 0 ? [bar] : [rect(scale, one, 0, LANE, 'fault', title), bar];
  });
  const total = sum(probes.map((one) => one.total));
  const failed = sum(probes.map((one) => one.failed));
  const faults = probes.filter((one) => one.failed > 0).slice(0, MOST_CROSSES);
  const crosses = faults.map(({ from, to }) => crossAt(scale, (from + to) / 2, 14));
  const desc = `${total} requests, ${failed} failed, slowest answer ${slowest} ms.`;
  const label = html`<b>Probe</b><small>slowest ${slowest} ms, ${failed} failed</small>`;
  const title = 'Slowest answer of the public address, and failed requests';
  return lane({ id: 'probe', label, title, desc, height: LANE }, timeline, scale, [...bars, ...crosses]);
}

/** Releases after the fifth share a colour. */
function versionClass(release: string, releases: readonly string[]): string {
  if (release === '') return 'v-unknown';
  const index = releases.indexOf(release);
  return `v-${index >= 0 && index < 5 ? index : 5}`;
}

function versionLane(timeline: Timeline, scale: Scale, releases: readonly string[]): Html {
  const points = thinned(timeline.versions, (_, last) => last);
  const most = Math.max(1, ...points.map(countOf));
  const bars = spansOf(points, timeline.to).flatMap((one) => {
    let below = 0;
    return ['', ...releases].flatMap((release) => {
      const count = one.droplets.get(release) ?? 0;
      if (count === 0) return [];
      below += count;
      const height = (count / most) * (LANE - 8);
      const y = Number((LANE - 4 - (below / most) * (LANE - 8)).toFixed(1));
      const name = release === '' ? 'not known' : release;
      return [
        rect(scale, one, y, height, versionClass(release, releases), `${name} on ${count}: ${between(one, scale)}`),
      ];
    });
  });
  const last = points.at(-1);
  const ended = [...(last?.droplets ?? [])].map(([release, count]) => `${release || 'an unknown release'} on ${count}`);
  const desc = `At the end: ${ended.join(', ')}.`;
  const label = html`<b>Releases</b><small>by droplets</small>`;
  const title = 'Droplets that run each release';
  return lane({ id: 'versions', label, title, desc, height: LANE }, timeline, scale, bars);
}

function countOf({ droplets }: VersionPoint): number {
  return sum([...droplets.values()]);
}

function versionLegend(releases: readonly string[]): Html | undefined {
  if (releases.length === 0) return undefined;
  const names = releases
    .slice(0, 5)
    .map((release) => key(versionClass(release, releases), html`<bdi>${release}</bdi>`));
  const more = releases.length > 5 ? [key('v-5', html`${releases.length - 5} more`)] : [];
  return html`<ul class="legend">${names}${more}</ul>`;
}

function key(className: string, label: Html): Html {
  return html`<li><svg class="key" width="12" height="12" aria-hidden="true"><rect class="${className}" width="12" height="12"/></svg>${label}</li>`;
}

function barLegend(rests: number): Html {
  const groups = Object.entries(GROUP_NAMES).map(([group, name]) => key(`b-${group}`, html`${name}`));
  const rest = rests === 0 ? [] : [key('rest', html`pause or bake`)];
  return html`<ul class="legend">${groups}${key('b-switch back', html`back to the release before`)}${key('bad', html`failed`)}${rest}</ul>`;
}

function dropletLane(timeline: Timeline, scale: Scale): Html {
  const { droplets } = timeline;
  // With many, the whole picture matters more than each name.
  const size = droplets.length > 60 ? 14 : droplets.length > 15 ? 18 : 24;
  const bars = droplets.flatMap((line, index) =>
    lineBars(line, { y: index * size, size, scale, brief: droplets.length > MANY }),
  );
  const failed = droplets.filter(({ bars: own }) => own.some(({ end }) => end === 'failed')).map(({ name }) => name);
  const desc = `${droplets.length} droplets in the order in which they were rolled. ${failed.length === 0 ? 'None failed.' : `Failed: ${failed.slice(0, 20).join(', ')}.`}`;
  const names = droplets.map(({ name }) => {
    const chars = [...name];
    return html`<li title="${name}"><bdi>${chars.slice(0, -10).join('')}</bdi><bdi>${chars.slice(-10).join('')}</bdi></li>`;
  });
  const label = html`<ol class="names rows-${size}" aria-hidden="true">${names}</ol>`;
  const height = droplets.length * size;
  return lane({ id: 'droplets', label, title: 'Steps of each droplet', desc, height }, timeline, scale, bars);
}

interface Place {
  y: number;
  size: number;
  scale: Scale;
  /** Without the time of each step. */
  brief: boolean;
}

function lineBars({ name, bars }: DropletLine, place: Place): Html[] {
  const { y, size, scale } = place;
  const stripe =
    (y / size) % 2 === 1 ? [html`<rect class="stripe" x="0" y="${y}" width="100%" height="${size}"/>`] : [];
  // They come last: what follows a failure must not cover its cross.
  const failed = bars.filter(({ end }) => end === 'failed');
  const crosses = failed.map(({ to }) => crossAt(scale, to, y + size / 2 + 5));
  return [...stripe, ...bars.map((bar) => barPiece(bar, name, place)), ...crosses];
}

function barPiece(bar: Bar, name: string, { y, size, scale, brief }: Place): Html {
  const className = [`b-${bar.group}`, ...(bar.back ? ['back'] : []), ...(bar.end === 'done' ? [] : [bar.end])];
  const title = barTitle(brief ? { ...bar, steps: [] } : bar, name, scale);
  return rect(scale, bar, y + 3, size - 6, className.join(' '), title);
}

/** Says without a colour that something failed. */
function crossAt(scale: Scale, at: number, y: number): Html {
  const anchor = scale.isAtEnd(at) ? 'end' : 'middle';
  return html`<text class="cross" x="${scale.x(at)}" y="${y}" text-anchor="${anchor}">✕</text>`;
}

function barTitle({ group, steps, back, end, ...span }: Bar, name: string, scale: Scale): string {
  const each = steps.length === 0 ? '' : ` (${steps.map(({ step, ms }) => `${step} ${duration(ms)}`).join(', ')})`;
  const ended = end === 'done' ? '' : `, ${end}`;
  return `${truncate(name, 40, 'middle')}: ${GROUP_NAMES[group]}${back ? ' (back)' : ''}${ended}, ${between(span, scale)}${each}`;
}

/** What lasts no time is not shown, unless there is nothing else. */
function spansOf<P extends { at: number }>(points: readonly P[], end: number): (P & Span)[] {
  const spans = points.map((point, index) => ({ ...point, from: point.at, to: points[index + 1]?.at ?? end }));
  const lasting = spans.filter(({ from, to }) => to > from);
  return lasting.length > 0 ? lasting : spans;
}

/** Points that lie close together become one. */
function thinned<P extends { at: number }>(points: readonly P[], choose: (one: P, other: P) => P): P[] {
  const every = Math.ceil(points.length / MOST_PIECES);
  return groupsOf(points, every).map((group) => ({ ...group.reduce(choose), at: (group[0] as P).at }));
}

function merged(probes: readonly ProbeSpan[]): ProbeSpan[] {
  return groupsOf(probes, Math.ceil(probes.length / MOST_PIECES)).map((group) => ({
    from: Math.min(...group.map(({ from }) => from)),
    to: Math.max(...group.map(({ to }) => to)),
    total: sum(group.map(({ total }) => total)),
    failed: sum(group.map(({ failed }) => failed)),
    slowestMs: Math.max(...group.map(({ slowestMs }) => slowestMs)),
  }));
}

function groupsOf<T>(items: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  for (let index = 0; index < items.length; index += size) groups.push(items.slice(index, index + size));
  return groups;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
