import { expect, it } from 'vitest';
import { fromNow, inWords, wholeSeconds } from '../src/durations.js';

it.each([
  [0, '0 ms'],
  [40, '40 ms'],
  [300, '0.3 s'],
  [1_000, '1 s'],
  [1_540, '1.5 s'],
  [9_949, '9.9 s'],
  [9_950, '10 s'],
  [59_600, '1 min'],
  [150_000, '2 min 30 s'],
  [3_599_000, '59 min 59 s'],
  [3_600_000, '1 h'],
  [3_905_000, '1 h 5 min'],
  [226_800_000, '2 d 15 h'],
])('%i ms is "%s"', (ms, words) => {
  expect(inWords(ms)).toBe(words);
});

it('what still runs has no more than whole seconds', () => {
  expect([0, 999, 3_999, 185_000].map(wholeSeconds)).toEqual(['0 s', '0 s', '3 s', '3 min 5 s']);
});

it('what is far away is told in years', () => {
  expect([3_600_000, 226_800_000, 26_330 * 86_400_000].map(fromNow)).toEqual(['in 1 h', 'in 2 d 15 h', 'in 72 years']);
});
