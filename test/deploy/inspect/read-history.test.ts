import { describe, expect, it } from 'vitest';
import { lastFleet, mergeHistories } from '../../../src/deploy/inspect/read-history.js';
import type { HistoryEntry } from '../../../src/rollout/model.js';

const OWN = JSON.stringify({ id: 'r1', environment: 'production' });
const OTHER = JSON.stringify({ id: 'r2', environment: 'staging' });

describe('the history', () => {
  const line = (run: string, more: object = {}) =>
    JSON.stringify({
      ...{ at: `2026-11-2${run}`, run, command: 'deploy', who: 'ann', release: `r${run}`, imageTag: 'v1' },
      ...{ outcome: 'succeeded', durationMs: 1 },
      ...more,
    });
  const runs = (...texts: string[]) => mergeHistories(texts, 'production').map(({ run }) => run);

  it('has only runs of the environment', () => {
    const text = [line('1', { environment: 'production' }), line('2', { environment: 'staging' })].join('\n');
    expect(runs(text)).toEqual(['1']);
  });

  it('takes the environment of an old line from its release, or else from the other releases of the droplet', () => {
    const text = [line('1'), line('2'), line('3'), '{"cut'].join('\n');
    expect(runs(text)).toEqual(['3', '2', '1']);
    expect(runs(`${text}\n${OWN}\n${OTHER}`)).toEqual(['3', '1']);
    expect(runs(`${text}\n${OTHER}`)).toEqual([]);
  });
});

const entry = (command: string, droplets: number[], outcome: HistoryEntry['outcome'] = 'succeeded'): HistoryEntry => ({
  ...{ at: '', run: command, command, who: 'ann', release: 'r1', imageTag: 'v1' },
  ...{ outcome, durationMs: 1, droplets },
});

it('the last fleet includes droplets that were adopted or healed since', () => {
  const deploy = entry('deploy', [1, 2, 3]);
  const older = entry('deploy', [1, 2, 3, 9]);
  expect(lastFleet([deploy, older])).toEqual(new Set([1, 2, 3]));
  expect(lastFleet([entry('heal', [1]), entry('adopt', [1, 4]), deploy, older])).toEqual(new Set([1, 2, 3, 4]));
  expect(lastFleet([entry('deploy', [1, 5], 'failed'), entry('rollback', [1, 2]), deploy])).toEqual(new Set([1, 2]));
  expect(lastFleet([entry('adopt', [1])])).toEqual(new Set([1]));
  expect(lastFleet([])).toEqual(new Set());
});

it('the droplets of a role are those that had it then; older entries do not say which', () => {
  const entry = (command: string, roles?: HistoryEntry['roles']) =>
    ({ command, outcome: 'succeeded', droplets: [1, 2, 3], roles }) as HistoryEntry;
  const deploy = entry('deploy', { web: [1, 2], worker: [3] });
  expect(lastFleet([deploy], 'worker')).toEqual(new Set([3]));
  expect(lastFleet([entry('adopt', { worker: [3, 4] }), deploy], 'worker')).toEqual(new Set([3, 4]));
  expect(lastFleet([deploy], 'jobs')).toEqual(new Set());
  expect(lastFleet([entry('deploy')], 'web')).toEqual(new Set());
});
