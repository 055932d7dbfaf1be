import { expect, it } from 'vitest';
import { lastFleet } from '../../../src/deploy/inspect/check-drift.js';
import type { HistoryEntry } from '../../../src/rollout/model.js';

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
