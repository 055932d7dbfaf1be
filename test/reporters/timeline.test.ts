import { expect, it } from 'vitest';
import { timelineOf } from '../../src/reporters/report/timeline.js';
import type { DeployEvent, Step } from '../../src/rollout/model.js';
import { aRow, eventAt, START, scriptedRollout, started, V1, V2, withProbes } from '../support/scripted-events.js';

const ERROR = { code: 'health-failed', message: 'app exited 1', source: 'external' } as const;

/** `[step, from, to]` of web-1, in s. */
function stepsOf(...steps: [Step, number, number, more?: 'failed' | 'back'][]): DeployEvent[] {
  const droplet = 'web-1';
  return steps.flatMap(([step, from, to, more]): DeployEvent[] => [
    eventAt(from * 1_000, { type: 'step-started', droplet, step, release: more === 'back' ? V1 : V2 }),
    more === 'failed'
      ? eventAt(to * 1_000, { type: 'step-failed', droplet, step, ms: 1, error: ERROR })
      : eventAt(to * 1_000, { type: 'step-finished', droplet, step, ms: 1 }),
  ]);
}

const barsOf = (events: DeployEvent[]) =>
  timelineOf([eventAt(0, started([aRow(1)])), ...events]).droplets[0]?.bars.map(({ group, from, to, end, back }) =>
    [group, (from - START) / 1_000, (to - START) / 1_000, end, ...(back ? ['back'] : [])].join(' '),
  );

it('steps of one kind that follow one another are one bar', () => {
  expect(
    barsOf(stepsOf(['connect', 0, 1], ['pull', 1, 4], ['mark-out', 9, 10], ['leave', 10, 11], ['drain', 11, 15])),
  ).toEqual(['stage 0 4 done', 'leave 9 15 done']);
  expect(barsOf(stepsOf(['pull', 0, 1], ['pull', 5, 6])), 'with time between them, two').toEqual([
    'stage 0 1 done',
    'stage 5 6 done',
  ]);
});

it('a failed step, and the way back to the release before, are told apart', () => {
  expect(
    barsOf(stepsOf(['switch', 0, 2], ['health', 2, 5, 'failed'], ['switch', 6, 7, 'back'], ['health', 7, 8, 'back'])),
  ).toEqual(['switch 0 2 done', 'verify 2 5 failed', 'switch 6 7 done back', 'verify 7 8 done back']);
});

it('a step that the run did not finish lasts until its end', () => {
  const events = stepsOf(['switch', 0, 2], ['health', 2, 30]).slice(0, -1);
  expect(barsOf([...events, eventAt(9_000, { type: 'notice', level: 'info', message: 'x' })])).toEqual([
    'switch 0 2 done',
    'verify 2 9 unfinished',
  ]);
});

it('droplets are in the order in which they were rolled', () => {
  const droplet = 'web-1';
  const [first, second] = scriptedRollout(2).map((event) => event);
  expect(first && second).toBeDefined();
  const events = [
    eventAt(0, started([aRow(1), aRow(2), aRow(3)])),
    eventAt(1_000, { type: 'step-started', droplet: 'web-3', step: 'leave' }),
    eventAt(2_000, { type: 'step-started', droplet, step: 'leave' }),
  ];
  expect(timelineOf(events).droplets.map(({ name }) => name)).toEqual(['web-3', 'web-1', 'web-2']);
});

it('rotation changes at leaving and rejoining, and the floor is known from the first batch on', () => {
  const { rotation, versions } = timelineOf(scriptedRollout(2));
  expect(rotation.map(({ points }) => points.map(({ inRotation, floor }) => [inRotation, floor]))).toEqual([
    [
      [2, undefined],
      [2, 1],
      [1, 1],
      [2, 1],
      [1, 1],
      [2, 1],
    ],
  ]);
  expect(versions.map(({ droplets }) => Object.fromEntries(droplets))).toEqual([
    { '': 2 },
    { [V1]: 2 },
    { [V1]: 1, [V2]: 1 },
    { [V2]: 2 },
  ]);
});

it('a fleet without a balancer has no rotation', () => {
  expect(timelineOf([eventAt(0, started([aRow(1, { rotation: 'none' })]))]).rotation).toEqual([]);
});

it('keeps probes with the time that they cover, and marks failures and signals', () => {
  const { probes, marks } = timelineOf([
    ...withProbes(scriptedRollout(2, 1), 8_000),
    eventAt(30_000, { type: 'deploy-interrupted', signal: 'SIGINT', detail: 'Finishing.' }),
  ]);
  expect(probes.map(({ from, to, failed }) => [from - START, to - START, failed]).slice(0, 2)).toEqual([
    [3_600, 6_000, 0],
    [6_000, 8_000, 1],
  ]);
  expect(marks.map((at) => at - START)).toEqual([9_600, 30_000]);
});

it('skips events whose time cannot be read', () => {
  const { from, to } = timelineOf([
    { ...eventAt(0, { type: 'phase-started', phase: 'roll' }), at: 'soon' },
    eventAt(5, started([])),
  ]);
  expect([from - START, to - START]).toEqual([5, 5]);
});
