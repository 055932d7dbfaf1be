/** A run over time, from its events. Pure: events go in, lines of a chart come out. Times are ms since the epoch. */
import type { DeployEvent, StatusRow, Step } from '../../rollout/model.js';
import { applyEvent } from '../../rollout/status-rows.js';
import { type Remark, remarkOn } from '../narration.js';

type EventOf<T extends DeployEvent['type']> = Extract<DeployEvent, { type: T }>;

export interface Span {
  from: number;
  to: number;
}

/** Steps that one colour stands for. */
export const STEP_GROUPS = {
  stage: ['connect', 'check', 'upload', 'prepare', 'pull', 'build'],
  leave: ['mark-out', 'leave', 'drain', 'record-by-hand'],
  switch: ['switch', 'start-stopped'],
  verify: ['health', 'balancer-check'],
  rejoin: ['rejoin', 'settle', 'clear'],
  other: ['evidence', 'finish'],
} as const satisfies Record<string, readonly Step[]>;
export type StepGroup = keyof typeof STEP_GROUPS;

/** Steps of a droplet, one after the other, of one colour. */
export interface Bar extends Span {
  group: StepGroup;
  steps: { step: Step; ms: number }[];
  /** Towards the release before. */
  back: boolean;
  end: 'done' | 'failed' | 'unfinished';
}

export interface DropletLine {
  name: string;
  role?: string | undefined;
  bars: Bar[];
}

/** How many droplets of a fleet were in rotation from then on. */
export interface RotationPoint {
  at: number;
  inRotation: number;
  total: number;
  /** Known once its first batch has begun. */
  floor?: number | undefined;
}

export interface RotationLine {
  role?: string | undefined;
  points: RotationPoint[];
}

/** How many droplets ran each release from then on, by its id; '' is not known. */
export interface VersionPoint {
  at: number;
  droplets: ReadonlyMap<string, number>;
}

export interface ProbeSpan extends Span {
  total: number;
  failed: number;
  slowestMs: number;
}

export interface TimedRemark extends Remark {
  at: number;
}

export interface Timeline extends Span {
  started?: EventOf<'rollout-started'> | undefined;
  /** Absent if the run was killed. */
  finished?: EventOf<'rollout-finished'> | undefined;
  /** The last known rows. */
  rows: StatusRow[];
  phases: (Span & { phase: EventOf<'phase-started'>['phase'] })[];
  rests: (Span & { rest: 'pause' | 'bake' })[];
  droplets: DropletLine[];
  rotation: RotationLine[];
  versions: VersionPoint[];
  probes: ProbeSpan[];
  /** Failures and signals. */
  marks: number[];
  remarks: TimedRemark[];
}

const NOT_OF_TIMELINE: ReadonlySet<DeployEvent['type']> = new Set([
  'trace',
  'step-progress',
  'layer-output',
  'still-running',
]);

/** What a timeline is made of: the others would only take memory while a run goes on. */
export function isOfTimeline({ type }: DeployEvent): boolean {
  return !NOT_OF_TIMELINE.has(type);
}

/** Pieces of a bar that are closer than this belong together, in ms. */
const GAP_MS = 1_000;

export function timelineOf(events: readonly DeployEvent[]): Timeline {
  const releases = events.flatMap((event) => {
    if (event.type === 'rollout-started') return event.release.id || [];
    return event.type === 'rollout-finished' ? event.result.release.id || [] : [];
  });
  // Which release that is, is often known only at the end.
  const builder = new TimelineBuilder(releases.at(-1));
  for (const event of events) if (isOfTimeline(event) && !Number.isNaN(Date.parse(event.at))) builder.add(event);
  return builder.build();
}

class TimelineBuilder {
  readonly #timeline: Timeline = {
    ...{ from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY },
    ...{
      rows: [],
      phases: [],
      rests: [],
      droplets: [],
      rotation: [],
      versions: [],
      probes: [],
      marks: [],
      remarks: [],
    },
  };
  readonly #lines = new Map<string, DropletLine>();
  /** The step that each droplet is at. */
  readonly #open = new Map<string, { step: Step; from: number; release: string | undefined }>();
  readonly #floors = new Map<string, number>();
  /** The last counts of the probe. */
  #probed: { at: number; total: number; failed: number } | undefined;
  readonly #shares = new Map<string, RotationLine>();

  constructor(
    /** Id of the release that is rolled out. */
    private readonly goal: string | undefined,
  ) {}

  add(event: DeployEvent): void {
    const at = Date.parse(event.at);
    const timeline = this.#timeline;
    timeline.from = Math.min(timeline.from, at);
    timeline.to = Math.max(timeline.to, at);
    const before = timeline.rows;
    const isOfRows = ['rollout-started', 'row-changed', 'rollout-finished'].includes(event.type);
    if (isOfRows) timeline.rows = applyEvent(before, event);
    this.#remark(event, at, before);
    this.#take(event, at);
    if (isOfRows || event.type === 'capacity') this.#count(at);
  }

  build(): Timeline {
    const timeline = this.#timeline;
    for (const droplet of this.#open.keys()) this.#close(droplet, timeline.to, 'unfinished');
    for (const one of [...timeline.phases, ...timeline.rests]) one.to = Math.min(one.to, timeline.to);
    const lines = [...this.#lines.values()];
    // A droplet that failed while it was staged may have no row.
    const roles = new Map(timeline.rows.map(({ name, role }) => [name, role]));
    for (const line of lines) line.role = roles.get(line.name);
    const rolling = ({ bars }: DropletLine) =>
      bars.find(({ group }) => group !== 'stage')?.from ?? Number.POSITIVE_INFINITY;
    timeline.droplets = lines
      .map((line) => ({ line, from: rolling(line) }))
      .sort((a, b) => (a.from === b.from ? 0 : a.from - b.from))
      .map(({ line }) => line);
    timeline.rotation = [...this.#shares.values()];
    return timeline;
  }

  #take(event: DeployEvent, at: number): void {
    const timeline = this.#timeline;
    const last = timeline.phases.at(-1);
    switch (event.type) {
      case 'rollout-started':
        timeline.started = event;
        for (const { name } of event.rows) this.#line(name);
        return;
      case 'rollout-finished':
        timeline.finished = event;
        return;
      case 'phase-started':
        if (last !== undefined) last.to = at;
        timeline.phases.push({ phase: event.phase, from: at, to: Number.POSITIVE_INFINITY });
        return;
      case 'rest-started':
        timeline.rests.push({ rest: event.rest, from: at, to: Number.POSITIVE_INFINITY });
        return;
      case 'rest-finished':
        for (const rest of timeline.rests) rest.to = Math.min(rest.to, at);
        return;
      case 'batch-started':
        return;
      case 'capacity':
        this.#floors.set(event.role ?? '', event.floor);
        return;
      case 'probed': {
        const { total, failed, slowestMs } = event;
        const before = this.#probed ?? { at: last?.from ?? at, total: 0, failed: 0 };
        const counts = { total: total - before.total, failed: failed - before.failed, slowestMs };
        if (counts.total > 0) timeline.probes.push({ ...counts, from: Math.min(before.at, at - slowestMs), to: at });
        this.#probed = { at, total, failed };
        return;
      }
      case 'watch-failed':
      case 'deploy-interrupted':
        timeline.marks.push(at);
        return;
      case 'step-started':
        this.#close(event.droplet, at, 'done');
        this.#open.set(event.droplet, { step: event.step, from: at, release: event.release });
        return;
      case 'step-finished':
        this.#close(event.droplet, at, 'done');
        return;
      case 'step-failed':
        this.#close(event.droplet, at, 'failed');
        timeline.marks.push(at);
        return;
    }
  }

  #line(name: string): DropletLine {
    const line = this.#lines.get(name) ?? { name, bars: [] };
    this.#lines.set(name, line);
    return line;
  }

  #close(droplet: string, at: number, end: Bar['end']): void {
    const open = this.#open.get(droplet);
    if (open === undefined) return;
    this.#open.delete(droplet);
    const { step, from, release } = open;
    const back = this.goal !== undefined && release !== undefined && release !== this.goal;
    const { bars } = this.#line(droplet);
    const last = bars.at(-1);
    const group = groupOf(step);
    const piece = { step, ms: at - from };
    if (last?.group === group && last.back === back && last.end === 'done' && from - last.to < GAP_MS) {
      last.to = at;
      last.end = end;
      last.steps.push(piece);
      return;
    }
    bars.push({ group, from, to: at, steps: [piece], back, end });
  }

  #remark(event: DeployEvent, at: number, before: StatusRow[]): void {
    const { remarks, rows, started } = this.#timeline;
    const isOfStep = event.type === 'step-finished';
    const remark = isOfStep ? undefined : remarkOn(event, before, rows, started?.command ?? 'deploy');
    if (remark !== undefined && remark.level !== 'detail' && remark.level !== 'debug') remarks.push({ ...remark, at });
  }

  /** How many are in rotation, and how many run each release. */
  #count(at: number): void {
    const { rows, versions } = this.#timeline;
    const shares = new Map<string, { inRotation: number; total: number }>();
    const droplets = new Map<string, number>();
    for (const { role = '', rotation, release } of rows) {
      droplets.set(release, (droplets.get(release) ?? 0) + 1);
      if (rotation === 'none') continue;
      const share = shares.get(role) ?? { inRotation: 0, total: 0 };
      shares.set(role, { inRotation: share.inRotation + (rotation === 'in' ? 1 : 0), total: share.total + 1 });
    }
    for (const [role, counts] of shares) {
      const line = this.#shares.get(role) ?? { role: role || undefined, points: [] };
      this.#shares.set(role, line);
      const floor = this.#floors.get(role);
      putPoint(
        line.points,
        { at, ...counts, floor },
        (a, b) => a.inRotation === b.inRotation && a.total === b.total && a.floor === b.floor,
      );
    }
    if (droplets.size > 0) putPoint(versions, { at, droplets }, (a, b) => isSame(a.droplets, b.droplets));
  }
}

/** What changes twice at one moment is one change. */
function putPoint<P extends { at: number }>(points: P[], point: P, isEqual: (a: P, b: P) => boolean): void {
  if (points.at(-1)?.at === point.at) points.pop();
  const last = points.at(-1);
  if (last === undefined || !isEqual(last, point)) points.push(point);
}

function isSame(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

/** A step of a later version has the last colour. */
function groupOf(step: Step): StepGroup {
  const groups = Object.entries(STEP_GROUPS) as [StepGroup, readonly Step[]][];
  return groups.find(([, steps]) => steps.includes(step))?.[0] ?? 'other';
}
