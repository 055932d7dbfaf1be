import { expect, it } from 'vitest';
import { utcTime } from '../../src/rollout/utc-time.js';

it.each([
  ['2026-11-21T07:45:00Z', '2026-11-21 07:45:00 UTC'],
  ['2026-11-21T07:45:00.123Z', '2026-11-21 07:45:00 UTC'],
  ['2026-11-21T07:45:00+01:00', '2026-11-21T07:45:00+01:00'],
  ['yesterday', 'yesterday'],
])('%s is %s', (iso, words) => {
  expect(utcTime(iso)).toBe(words);
});
