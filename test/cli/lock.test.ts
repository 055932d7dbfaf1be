import { describe, expect, it } from 'vitest';
import { lockLine } from '../../src/cli/lock.js';

describe('the line of a lock', () => {
  it.each([
    [{ droplet: 'web-1', state: 'free' as const }, 'web-1: free'],
    [
      { droplet: 'web-1', state: 'unknown' as const, detail: 'connection refused' },
      'web-1: unknown: connection refused',
    ],
  ])('of %j', (row, line) => {
    expect(lockLine(row)).toBe(line);
  });

  it('names the holder, and nothing that it says can move the cursor', () => {
    const holder = {
      who: 'ann@laptop\u001b[2J',
      release: '20261121T074500Z-v2',
      since: '2026-11-21T07:45:00Z',
      run: 'a',
    };
    const line = lockLine({ droplet: 'web-1', state: 'held', holder });
    expect(line).toBe('web-1: held: ann@laptop, release 20261121T074500Z-v2, since 2026-11-21T07:45:00Z');
  });
});
