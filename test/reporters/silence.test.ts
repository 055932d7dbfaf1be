/** No run is silent for more than 30 s, whatever it waits for. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { DeployEventBody } from '../../src/rollout/model.js';
import { reporterOn } from '../support/reporter-on.js';
import { aRow, eventAt, result, START, scriptedRollout, started } from '../support/scripted-events.js';

beforeAll(() => {
  process.env.TZ = 'UTC';
});

const LONGEST_MS = 30_000;

type Options = Parameters<typeof reporterOn>[0];

/** Reports the events, lets the time pass, and returns what was printed then, without its time. */
async function afterwards(events: DeployEventBody[], ms: number, options: Options = {}): Promise<string[]> {
  const { reporter, stdout, clock } = reporterOn(options);
  for (const body of events) reporter.report(eventAt(0, body));
  const before = stdout.text.length;
  await clock.advance(ms);
  await reporter.close();
  const lines = stdout.text.slice(before).split('\n');
  return lines.slice(0, -1).map((line) => line.slice('07:45:30  '.length));
}

const step = (droplet: string, name: 'pull' | 'drain' | 'settle'): DeployEventBody => ({
  type: 'step-started',
  droplet,
  step: name,
});

describe('what goes on is said after 30 s', () => {
  it.each<[name: string, events: DeployEventBody[], said: string[]]>([
    ['of a step', [step('web-3', 'pull')], ['still pulling images on web-3 (30 s)']],
    [
      'of a step, with what it waits for',
      [
        step('web-1', 'drain'),
        { type: 'step-progress', droplet: 'web-1', step: 'drain', detail: '3 connections open' },
      ],
      ['still draining on web-1 (30 s): 3 connections open'],
    ],
    [
      'of many droplets in one line',
      [step('web-1', 'pull'), step('web-2', 'pull'), step('web-3', 'pull')],
      ['still pulling images on web-1 and 2 other droplets (30 s)'],
    ],
    [
      'without a balancer, in its words',
      [started([aRow(1, { rotation: 'none' })]), step('web-1', 'settle')],
      ['still watching the containers on web-1 (30 s)'],
    ],
    ['of finding the fleet', [{ type: 'phase-started', phase: 'discover' }], ['still finding the fleet (30 s)']],
    [
      'of the lock of another run',
      [
        { type: 'phase-started', phase: 'lease' },
        { type: 'task-started', task: 'wait-lock', detail: 'another deploy by ann@laptop' },
      ],
      ['still waiting for another deploy by ann@laptop to end (30 s)'],
    ],
    [
      'between batches',
      [
        { type: 'phase-started', phase: 'roll' },
        { type: 'task-started', task: 'observe' },
      ],
      ['still observing the fleet (30 s)'],
    ],
    ['of gates', [{ type: 'task-started', task: 'ask-gates' }], ['still asking the gates (30 s)']],
    [
      'of a layer',
      [{ type: 'layer-started', name: 'layer migrate', event: 'deploy' }],
      ['still running layer migrate (30 s)'],
    ],
    [
      'of a hook for a droplet',
      [{ type: 'layer-started', name: 'hook before_leave', event: 'before_leave', droplet: 'web-1' }],
      ['still running hook before_leave for web-1 (30 s)'],
    ],
    ['of a bake', [{ type: 'rest-started', rest: 'bake', ms: 600_000 }], ['9 min 30 s of the bake are left']],
    ['of a pause', [{ type: 'rest-started', rest: 'pause', ms: 120_000 }], ['1 min 30 s of the pause are left']],
    ['of cleaning up', [{ type: 'phase-started', phase: 'finish' }], ['still cleaning up (30 s)']],
  ])('%s', async (_, events, said) => {
    expect(await afterwards(events, LONGEST_MS - 1)).toEqual([]);
    expect(await afterwards(events, LONGEST_MS)).toEqual(said);
    expect(await afterwards(events, 3 * LONGEST_MS)).toHaveLength(said.length * 3);
  });
});

it('counts from the last line that was printed, not from the start of what goes on', async () => {
  const { reporter, stdout, clock } = reporterOn();
  reporter.report(eventAt(0, step('web-1', 'pull')));
  await clock.advance(20_000);
  // It prints nothing.
  reporter.report(eventAt(20_000, { type: 'step-started', droplet: 'web-2', step: 'connect' }));
  await clock.advance(9_000);
  reporter.report(eventAt(29_000, { type: 'notice', level: 'info', message: 'A line.' }));
  await clock.advance(LONGEST_MS - 1);
  expect(stdout.text).toBe('07:45:29  A line.\n');
  await clock.advance(1);
  expect(stdout.text.split('\n').slice(1, 3)).toEqual([
    '07:45:59  still pulling images on web-1 (59 s)',
    '07:45:59  still connecting on web-2 (39 s)',
  ]);
  await reporter.close();
});

it.each([1, 7, 40, 300])('a rollout that is %i times as slow is never silent for longer', async (slowness) => {
  const { reporter, stdout, clock } = reporterOn();
  let printedAt = START;
  let longest = 0;
  stdout.write = () => {
    longest = Math.max(longest, clock.now() - printedAt);
    printedAt = clock.now();
    return true;
  };
  for (const event of scriptedRollout(3)) {
    const at = START + (Date.parse(event.at) - START) * slowness;
    await clock.advance(at - clock.now());
    reporter.report({ ...event, at: new Date(at).toISOString() });
  }
  expect(longest).toBeGreaterThan(0);
  expect(longest).toBeLessThanOrEqual(LONGEST_MS);
});

it('says nothing of what has ended, and nothing after the end', async () => {
  expect(
    await afterwards(
      [
        step('web-1', 'pull'),
        { type: 'step-finished', droplet: 'web-1', step: 'pull', ms: 1 },
        { type: 'layer-started', name: 'hook a', event: 'deploy' },
        { type: 'layer-finished', name: 'hook a', event: 'deploy', ms: 1 },
        { type: 'task-started', task: 'observe' },
        { type: 'task-finished', task: 'observe', ms: 1 },
      ],
      3 * LONGEST_MS,
    ),
  ).toEqual([]);
  expect(
    await afterwards(
      [
        { type: 'phase-started', phase: 'roll' },
        { type: 'rollout-finished', result: result('succeeded') },
      ],
      3 * LONGEST_MS,
    ),
  ).toEqual([]);
});

it('begins nothing after it was closed', async () => {
  const { reporter, stdout, clock } = reporterOn();
  reporter.report(eventAt(0, step('web-1', 'pull')));
  await reporter.close();
  reporter.report(eventAt(0, step('web-2', 'pull')));
  await clock.advance(3 * LONGEST_MS);
  expect(stdout.text).toBe('');
});

it('is silent during a question, and goes on after the answer', async () => {
  const { reporter, stdout, clock } = reporterOn();
  reporter.report(eventAt(0, { type: 'layer-started', name: 'layer checklist', event: 'deploy' }));
  const resume = reporter.suspend();
  await clock.advance(10 * LONGEST_MS);
  expect(stdout.text).toBe('');
  resume();
  await clock.advance(LONGEST_MS);
  expect(stdout.text).toContain('still running layer checklist (5 min 30 s)');
  await reporter.close();
});

it('is part of the JSON, of the log of the run, and of nothing with --quiet', async () => {
  expect(await afterwards([step('web-1', 'pull')], 3 * LONGEST_MS, { level: 'quiet' })).toEqual([]);
  const { reporter, stdout, clock } = reporterOn({ mode: 'json' });
  let recorded = '';
  reporter.record((text) => {
    recorded += text;
  });
  reporter.report(eventAt(0, step('web-1', 'pull')));
  await clock.advance(LONGEST_MS);
  await reporter.close();
  expect(JSON.parse(stdout.text.trimEnd().split('\n').at(-1) ?? '')).toEqual({
    schema: 2,
    at: new Date(START + LONGEST_MS).toISOString(),
    type: 'still-running',
    message: 'still pulling images on web-1 (30 s)',
  });
  expect(recorded).toContain('07:45:30  still pulling images on web-1 (30 s)\n');
});
