import { describe, expect, it } from 'vitest';
import { mergeHistories } from '../../../src/deploy/inspect/read-history.js';

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
