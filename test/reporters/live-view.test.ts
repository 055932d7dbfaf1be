/** The live view on an emulated terminal, at many sizes and with many droplets. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { DeployEvent, DeployEventBody, StatusRow } from '../../src/rollout/model.js';
import { EmulatedTerminal } from '../support/fake-terminal.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, eventAt, START, scriptedRollout, started, V1, V2 } from '../support/scripted-events.js';

beforeAll(() => {
  process.env.TZ = 'UTC';
});

const SIZES = [
  [60, 20],
  [80, 24],
  [120, 40],
  [200, 50],
] as const;

async function liveOn(columns: number, rows: number, options: { color?: boolean } = {}) {
  const all = reporterOn({ mode: 'terminal', stdout: new EmulatedTerminal(columns, rows), ...options });
  await all.reporter.goLive();
  return all;
}

type Live = Awaited<ReturnType<typeof liveOn>>;

/** Reports the events at their times. */
async function play({ reporter, clock }: Pick<Live, 'reporter' | 'clock'>, events: readonly DeployEvent[]) {
  for (const event of events) {
    await clock.advance(Math.max(0, Date.parse(event.at) - clock.now()));
    reporter.report(event);
  }
  await clock.advance(200);
}

async function showing(columns: number, rows: number, bodies: readonly DeployEventBody[]): Promise<Live> {
  const live = await liveOn(columns, rows);
  await play(
    live,
    bodies.map((body) => eventAt(0, body)),
  );
  return live;
}

/** The lines of the live view. */
function frameOf({ stdout }: Pick<Live, 'stdout'>): string[] {
  const { screen } = stdout;
  return screen.slice(screen.lastIndexOf('') + 1);
}

/** Rows as they were printed, with those that the terminal wrapped put together. */
function unwrapped(terminal: EmulatedTerminal): string[] {
  const whole: string[] = [];
  for (const [row, text] of terminal.lines.entries()) {
    if (terminal.isWrapped(row)) whole.push(`${whole.pop()}${text}`);
    else whole.push(text);
  }
  return whole;
}

function fleet(size: number, change: (n: number) => Partial<StatusRow> = () => ({})): StatusRow[] {
  return Array.from({ length: size }, (_, index) => aRow(index + 1, change(index + 1)));
}

const step = (n: number, name: 'pull' | 'health', detail?: string): DeployEventBody[] => {
  const about = { droplet: `web-${n}`, step: name };
  return [
    { type: 'step-started', ...about },
    ...(detail === undefined ? [] : [{ type: 'step-progress' as const, ...about, detail }]),
  ];
};

/** In the middle of a large fleet: 20 in hand, and of those before some have failed. */
function largeRollout(size: number, prefix = 'web'): DeployEventBody[] {
  const rows = fleet(size, (n) => {
    const name = `${prefix}-${n}`;
    if (n === 7 || n === 90) return { name, outcome: 'deploy failed', rotation: 'out' };
    if (n <= size / 2) return { name, outcome: 'deployed', release: V2 };
    return { name, ...(n <= size / 2 + 3 && { outcome: 'in progress', rotation: 'out' }) };
  });
  const busy = rows.filter(({ outcome }) => outcome === 'in progress');
  return [
    started(rows),
    { type: 'phase-started', phase: 'roll' },
    { type: 'forecast', release: { id: V2, imageTag: 'v2' }, batches: 70 },
    { type: 'batch-started', batch: 35, droplets: busy.map(({ name }) => name), left: size / 2 - 3 },
    { type: 'capacity', serving: size - 5, of: size, floor: size - 3 },
    { type: 'probed', total: 142, failed: 0, slowestMs: 84 },
    ...busy.flatMap(({ name }): DeployEventBody[] => [
      { type: 'step-started', droplet: name, step: 'health' },
      { type: 'step-progress', droplet: name, step: 'health', detail: 'app starting, started 3 s ago, 0 of 3 checks' },
    ]),
  ];
}

describe.each(SIZES)('on %i × %i', (columns, rows) => {
  it('a rollout leaves every line that scrolls by, in order, and one frame at a time', async () => {
    const live = await liveOn(columns, rows);
    const plain = reporterOn({ stdout: new EmulatedTerminal(columns, rows) });
    const events = scriptedRollout(4);
    for (const [index, event] of events.entries()) {
      await play(live, [event]);
      if (index % 10 === 0 && live.stdout.cursorShown === false) {
        expect(live.stdout.lines.filter((line) => line.startsWith('Deploying shop v'))).toHaveLength(1);
      }
    }
    for (const event of events) plain.reporter.report(event);
    expect(live.stdout.lines).toEqual(plain.stdout.lines);
  });

  it.each([3, 40, 200])('%i droplets fit, and those in hand and failed are there', async (size) => {
    const live = await showing(columns, rows, largeRollout(size));
    const frame = frameOf(live);
    expect(frame.length).toBeLessThan(rows);
    const first = live.stdout.lines.length - frame.length;
    for (const [index, line] of frame.entries()) expect(live.stdout.isWrapped(first + index), line).toBe(false);
    expect(frame[0]).toBe('Deploying shop v1 → v2 to production');
    const isUrgent = ({ outcome }: StatusRow) => outcome === 'in progress' || outcome === 'deploy failed';
    const [{ rows: all }] = largeRollout(size) as [ReturnType<typeof started>];
    for (const { name, outcome } of all.filter(isUrgent)) {
      const line = frame.find((text) => text.split(/ +/)[1] === name) ?? '';
      expect(line, name).toMatch(outcome === 'in progress' ? /^▸ .*waiting for health/ : /^✗ .*deploy failed$/);
    }
    const shown = frame.filter((line) => /^. {2}web-/.test(line)).length;
    const others = Number(/^(\d+) other droplets: /m.exec(frame.join('\n'))?.[1] ?? 0);
    expect(shown + others).toBe(size);
    expect(frame.at(-1)).toMatch(new RegExp(`^serving: ${size - 5} of ${size}, floor ${size - 3}`));
    expect(frame.join('\n')).toContain('0 of 142 probes failed');
    await live.reporter.close();
  });

  it.each(['app-server-of-the-european-region-with-a-long-name', '東京のウェブサーバー群', 'ÄÖÜ-é́-👩‍💻'])(
    'names like %s do not wrap, and stay apart',
    async (prefix) => {
      const live = await showing(columns, rows, largeRollout(8, prefix));
      const frame = frameOf(live);
      const first = live.stdout.lines.length - frame.length;
      for (const [index, line] of frame.entries()) expect(live.stdout.isWrapped(first + index), line).toBe(false);
      const names = frame.slice(3, -1).map((line) => line.slice(3).split(/ {2,}/)[0]);
      expect(new Set(names).size).toBe(8);
      await live.reporter.close();
    },
  );

  it.each([
    [40, 12],
    [61, 15],
    [150, 45],
    [42, 50],
  ])('resized to %i × %i in the middle, it goes on there, and no line is lost', async (nowColumns, nowRows) => {
    const live = await liveOn(columns, rows);
    const events = scriptedRollout(4);
    const middle = events.findIndex((event) => event.type === 'batch-started' && event.batch === 3) + 8;
    await play(live, events.slice(0, middle));
    live.stdout.resize(nowColumns, nowRows);
    await play(live, events.slice(middle, middle + 3));
    const frame = frameOf(live);
    expect(frame.length).toBeLessThan(nowRows);
    // Of a frame that is higher than the new screen, the terminal has moved a part into its history.
    const seen = nowRows < rows ? live.stdout.screen : live.stdout.lines;
    expect(seen.filter((line) => line.startsWith('Deploying shop v1 →'))).toHaveLength(1);
    await play(live, events.slice(middle + 3));
    const told = reporterOn();
    for (const event of events) told.reporter.report(event);
    const printed = told.stdout.text.split('\n').filter((line) => /^\d\d:/.test(line));
    const kept = unwrapped(live.stdout).filter((line) => /^\d\d:/.test(line));
    expect(kept).toEqual(printed);
  });
});

it('a batch that is larger than the terminal hides no failure', async () => {
  const rows = fleet(50, (n) => ({ outcome: n <= 30 ? 'in progress' : n <= 40 ? 'deploy failed' : 'not deployed' }));
  const live = await showing(80, 20, [
    started(rows),
    ...rows.slice(0, 30).flatMap((_, index) => step(index + 1, 'health')),
  ]);
  const frame = frameOf(live).join('\n');
  expect(frame.match(/^▸/gm)).toHaveLength(4);
  expect(frame.match(/^✗/gm)).toHaveLength(4);
  expect(frame).toContain('42 other droplets: 6 deploy failed, 26 in progress, 10 not deployed');
  await live.reporter.close();
});

it('each frame is one write, which the terminal shows at once, and clears nothing before', async () => {
  const live = await liveOn(80, 24);
  await play(live, scriptedRollout(3).slice(0, 60));
  const frames = live.stdout.writes.filter((text) => text.includes('serving: '));
  expect(frames.length).toBeGreaterThan(10);
  for (const text of frames) {
    expect(text.startsWith('\x1b[?2026h')).toBe(true);
    expect(text.endsWith('\x1b[J\x1b[?2026l')).toBe(true);
    expect(text.split('\x1b[J')).toHaveLength(2);
  }
  await live.reporter.close();
});

it('without colours there are none, and signs tell the same', async () => {
  const outcomes = ['in progress', 'deployed', 'deploy failed', 'reverted', 'taken out', 'not deployed'] as const;
  const rows = fleet(outcomes.length, (n) => ({ outcome: outcomes[n - 1] ?? 'not deployed' }));
  const live = await showing(100, 24, [started(rows)]);
  expect(
    frameOf(live)
      .filter((line) => line.includes('web-'))
      .map(([sign]) => sign),
  ).toEqual([...'▸✓✗↺- ']);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it matches escape sequences
  expect(live.stdout.writes.join('')).not.toMatch(/\x1b\[[0-9;]*m/);
  await live.reporter.close();
});

it('a failure of several lines takes one', async () => {
  const rows = fleet(2);
  const error = { code: 'x', message: 'compose said:\n  no such service', source: 'external' } as const;
  const live = await showing(100, 24, [
    started(rows),
    ...step(1, 'pull'),
    { type: 'step-failed', droplet: 'web-1', step: 'pull', ms: 5, error },
  ]);
  expect(frameOf(live)).toContainEqual(expect.stringMatching(/web-1 .* compose said: no such service$/));
  await live.reporter.close();
});

describe('the head of the live view', () => {
  const forecast = (more: object = {}): DeployEventBody => ({
    type: 'forecast',
    release: { id: V2, imageTag: 'v2' },
    batches: 3,
    ...more,
  });
  const batch = (n: number): DeployEventBody => ({
    type: 'batch-started',
    batch: n,
    droplets: [`web-${n}`],
    left: 3 - n,
  });
  const roll: DeployEventBody = { type: 'phase-started', phase: 'roll' };

  /** The two lines of the head, after events at these seconds. */
  async function headAfter(
    timed: readonly [seconds: number, body: DeployEventBody][],
    until: number,
  ): Promise<string[]> {
    const live = await liveOn(120, 24);
    await play(
      live,
      timed.map(([seconds, body]) => eventAt(seconds * 1_000, body)),
    );
    await live.clock.advance(START + until * 1_000 - live.clock.now());
    const head = frameOf(live).slice(0, 2);
    await live.reporter.close();
    return head;
  }

  const begun: [number, DeployEventBody][] = [
    [0, started(fleet(3))],
    [20, roll],
  ];

  it('says nothing of the time left where nothing is known', async () => {
    expect(await headAfter([...begun, [20, forecast()], [20, batch(1)]], 50)).toEqual([
      'Deploying shop v1 → v2 to production',
      'Rolling out, batch 1 of 3 | 50 s',
    ]);
  });

  it('estimates it by past runs at first, then by the batches of this one', async () => {
    const past = forecast({ estimate: { ms: 300_000, runs: 4 } });
    expect((await headAfter([...begun, [20, past], [20, batch(1)]], 50))[1]).toBe(
      'Rolling out, batch 1 of 3 | 50 s | about 4 min 15 s left',
    );
    expect((await headAfter([...begun, [20, past], [20, batch(1)]], 301))[1]).toBe(
      'Rolling out, batch 1 of 3 | 5 min 1 s',
    );
    const own: [number, DeployEventBody][] = [...begun, [20, past], [20, batch(1)], [50, batch(2)]];
    expect((await headAfter(own, 60))[1]).toBe('Rolling out, batch 2 of 3 | 1 min | about 50 s left');
    expect((await headAfter(own, 95))[1]).toBe('Rolling out, batch 2 of 3 | 1 min 35 s | about 30 s left');
  });

  it('counts the bake, and knows its end', async () => {
    const baking = forecast({ bakeMs: 600_000 });
    const own: [number, DeployEventBody][] = [...begun, [20, baking], [20, batch(1)], [50, batch(2)], [80, batch(3)]];
    expect((await headAfter(own, 90))[1]).toBe('Rolling out, batch 3 of 3 | 1 min 30 s | about 11 min left');
    const bake: DeployEventBody = { type: 'rest-started', rest: 'bake', ms: 600_000 };
    expect((await headAfter([...own, [110, bake]], 120))[1]).toBe('Baking | 2 min | 9 min 50 s left');
  });

  it.each<[name: string, event: DeployEventBody, phase: string]>([
    [
      'a failed step',
      {
        type: 'step-failed',
        droplet: 'web-2',
        step: 'health',
        ms: 1,
        error: { code: 'unhealthy', message: 'It is sick.', source: 'external' },
      },
      'Rolling out, batch 2 of 3',
    ],
    [
      'an interruption',
      { type: 'deploy-interrupted', signal: 'SIGINT', detail: '' },
      'Interrupted: rolling out, batch 2 of 3',
    ],
    [
      'going back',
      { type: 'batch-started', batch: 3, droplets: ['web-1'], left: 0, back: true },
      'Taking the release back',
    ],
  ])('knows no time left after %s', async (_, event, phase) => {
    const own: [number, DeployEventBody][] = [...begun, [20, forecast()], [20, batch(1)], [50, batch(2)]];
    expect((await headAfter([...own, [60, event]], 70))[1]).toBe(`${phase} | 1 min 10 s`);
  });

  it('names what is waited for, and failed probes', async () => {
    const waits: DeployEventBody = { type: 'task-started', task: 'wait-lock', detail: 'another deploy by ann@laptop' };
    const probed: DeployEventBody = { type: 'probed', total: 1, failed: 1, slowestMs: 84 };
    expect((await headAfter([...begun, [20, waits], [21, probed]], 30))[1]).toBe(
      'Waiting for another deploy by ann@laptop to end | 30 s | 1 of 1 probe failed',
    );
  });

  it.each<[name: string, started: DeployEventBody, release: { id: string; imageTag: string }, title: string]>([
    [
      'the same tag again by its ids',
      started(fleet(2)),
      { id: '20261122T000000Z-v1', imageTag: 'v1' },
      `Deploying shop ${V1} → 20261122T000000Z-v1 to production`,
    ],
    [
      'a rollback',
      {
        ...started(
          fleet(2, () => ({ release: V2 })),
          'rollback',
        ),
        release: { id: '', imageTag: '' },
      },
      { id: V1, imageTag: 'v1' },
      'Rolling shop on production back: v2 → v1',
    ],
    [
      'a fleet with two releases',
      started(fleet(2, (n) => ({ release: n === 1 ? V1 : '20261119T000000Z-v0' }))),
      { id: V2, imageTag: 'v2' },
      'Deploying shop v1 and v0 → v2 to production',
    ],
    [
      'a first deploy',
      started(fleet(2, () => ({ release: '' }))),
      { id: V2, imageTag: 'v2' },
      'Deploying shop v2 to production',
    ],
    [
      'a restart',
      {
        ...started(
          fleet(2, () => ({ release: V2 })),
          'restart',
        ),
      },
      { id: V2, imageTag: 'v2' },
      'Restarting shop on production',
    ],
  ])('names %s', async (_, first, release, title) => {
    const forecast: DeployEventBody = { type: 'forecast', release, batches: 2 };
    expect(
      (
        await headAfter(
          [
            [0, first],
            [1, roll],
            [1, forecast],
          ],
          5,
        )
      )[0],
    ).toBe(title);
  });
});
