import { expect, it } from 'vitest';
import type { LocalRun } from '../../src/cli/local-runs.js';
import { findRun } from '../../src/commands/shared/find-run.js';
import type { HistoryEntry } from '../../src/rollout/model.js';
import { eventAt, result, started } from '../support/scripted-events.js';

/** Ended at 07:MINUTE. */
function entry(minute: number, imageTag: string): HistoryEntry {
  const at = `2026-11-21T07:${minute}:31.000Z`;
  const run = `deploy of ${imageTag} at ${minute}`;
  return {
    at,
    run,
    command: 'deploy',
    who: 'ann@laptop',
    release: `x-${imageTag}`,
    imageTag,
    outcome: 'succeeded',
    durationMs: 9,
  };
}

function local(minute: number, run?: string): LocalRun {
  const ended = result('succeeded', { release: { id: `x-local${minute}`, imageTag: `local${minute}` } });
  const finished = {
    ...eventAt(0, { type: 'rollout-finished', run: run ?? '', result: ended }),
  } as LocalRun['finished'];
  const began = { ...eventAt(0, started([])), at: `2026-11-21T07:${minute - 1}:00.000Z` } as LocalRun['started'];
  const end = finished === undefined || run === undefined ? undefined : { ...finished, run };
  return { path: `${minute}.ndjson`, started: began, finished: end, endedAt: `2026-11-21T07:${minute}:30.000Z` };
}

const HISTORY = [entry(50, 'v3'), entry(40, 'v2'), entry(30, 'v2')];

it('without a word it is the newest one, whoever has made it', () => {
  expect(findRun(HISTORY, [], undefined)).toEqual({ entry: HISTORY[0], local: undefined });
  expect(findRun(HISTORY, [local(55)], undefined)?.local?.path, 'a run that was killed is in no history').toBe(
    '55.ndjson',
  );
  expect(findRun([], [], undefined)).toBeUndefined();
});

it('its events on this machine belong to the line of the history with the same run', () => {
  const here = local(40, 'deploy of v2 at 40');
  expect(findRun(HISTORY, [here], 'v2')).toEqual({ entry: HISTORY[1], local: here });
  expect(findRun(HISTORY, [here], 'v3')).toEqual({ entry: HISTORY[0], local: undefined });
});

it.each([
  ['v2', 1],
  ['x-v3', 0],
  ['2026-11-21 07:30', 2],
  ['2026-11-21 07:30:31 UTC', 2],
  ['2026-11-21T07:40', 1],
  ['2026-11-21', 0],
  ['deploy of v2 at 30', 2],
])('a release, a time or an id finds the newest that fits: %s', (word, index) => {
  expect(findRun(HISTORY, [], word)?.entry).toBe(HISTORY[index]);
});

it('what fits nothing finds nothing', () => {
  for (const word of ['v9', '2026-11-22', 'v', '']) expect(findRun(HISTORY, [local(45)], word)).toBeUndefined();
  expect(findRun(HISTORY, [local(45, 'other')], 'local45')?.local?.path).toBe('45.ndjson');
});
