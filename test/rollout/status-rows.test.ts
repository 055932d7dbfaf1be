import { describe, expect, it } from 'vitest';
import type { DeployEventBody, StatusRow } from '../../src/rollout/model.js';
import { applyEvent, countOutcomes, isCanaryWell } from '../../src/rollout/status-rows.js';
import { aRow, eventAt, result, scriptedRollout, started } from '../support/scripted-events.js';

function rowsAfter(rows: StatusRow[], ...bodies: DeployEventBody[]): StatusRow[] {
  return bodies.reduce((current, body) => applyEvent(current, eventAt(0, body)), rows);
}

describe('the rows after events', () => {
  it('start with those of rollout-started and end with those of rollout-finished', () => {
    const last = [aRow(1, { outcome: 'deployed' })];
    expect(rowsAfter([], started([aRow(1), aRow(2)]))).toEqual([aRow(1), aRow(2)]);
    expect(rowsAfter([aRow(1)], { type: 'rollout-finished', result: result('succeeded', { rows: last }) })).toEqual(
      last,
    );
  });

  it('replace a changed row, and append a new one', () => {
    const changed = aRow(1, { rotation: 'out' });
    expect(rowsAfter([aRow(1), aRow(2)], { type: 'row-changed', row: changed })).toEqual([changed, aRow(2)]);
    expect(rowsAfter([aRow(1)], { type: 'row-changed', row: aRow(3) })).toEqual([aRow(1), aRow(3)]);
  });

  it('show the step of a droplet and what it is waiting for, until the step ends', () => {
    const at = { droplet: 'web-1', step: 'drain' } as const;
    const draining = rowsAfter([aRow(1), aRow(2)], { type: 'step-started', ...at });
    expect(draining).toEqual([aRow(1, { step: 'drain' }), aRow(2)]);
    const waiting = rowsAfter(draining, { type: 'step-progress', ...at, detail: '3 connections' });
    expect(waiting[0]).toEqual(aRow(1, { step: 'drain', detail: '3 connections' }));
    expect(rowsAfter(waiting, { type: 'step-finished', ...at, ms: 5 })[0]).toEqual(aRow(1, { step: 'drain' }));
  });

  it('show why a step failed', () => {
    const error = { code: 'x', message: 'It broke.', source: 'external' } as const;
    const rows = rowsAfter([aRow(1)], { type: 'step-failed', droplet: 'web-1', step: 'balancer-check', ms: 5, error });
    expect(rows).toEqual([aRow(1, { step: 'balancer-check', detail: 'It broke.' })]);
  });

  it('leave the earlier rows unchanged', () => {
    let rows: StatusRow[] = Object.freeze([]) as unknown as StatusRow[];
    for (const event of scriptedRollout(3, 2)) {
      rows = applyEvent(rows, event);
      for (const row of rows) Object.freeze(row);
      Object.freeze(rows);
    }
    expect(rows.map(({ outcome }) => outcome)).toEqual(['deployed', 'deploy failed', 'not deployed']);
  });
});

describe('the count of outcomes', () => {
  it('lists failures first, and leaves out outcomes without a droplet', () => {
    const rows = [aRow(1, { outcome: 'deployed' }), aRow(2, { outcome: 'deployed' }), aRow(3), aRow(4)];
    expect(countOutcomes(rows)).toBe('2 deployed, 2 not deployed');
    expect(countOutcomes([...rows, aRow(5, { outcome: 'deploy failed' })])).toMatch(/^1 deploy failed, 2 deployed/);
    expect(countOutcomes([])).toBe('');
  });
});

it('a canary may be promoted when what has finished of it is well', () => {
  const canary = { canary: true as const, canaryTag: 'v2', imageTag: 'v2', health: 'healthy' } as StatusRow;
  const half = { ...canary, imageTag: 'v1' };
  expect(isCanaryWell([canary, half])).toBe(true);
  expect(isCanaryWell([half])).toBe(false);
  expect(isCanaryWell([canary, { ...canary, health: 'app exited 1' }])).toBe(false);
});
