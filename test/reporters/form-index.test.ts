import { expect, it } from 'vitest';
import { formsIn, formsOf } from '../../src/reporters/redactor.js';

/** Pseudo-random, and the same in every run. */
function keystore(lines: number): string {
  let state = 1;
  const letter = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.charAt(state >>> 26);
  };
  return Array.from({ length: lines }, () => Array.from({ length: 64 }, letter).join('')).join('\n');
}

const LINES = [
  'INFO  12:00:07 migrating "users": it\'s 40 % done',
  'deployed-to-production-web-1',
  `${'migrated '.repeat(1_000)}%20`,
  'a'.repeat(5_000),
];

/** How many forms the lines are compared with, if it knows all the lines of a secret. */
function comparisons(lines: number): number {
  const secret = keystore(lines);
  const forms = formsOf([secret, ...secret.split('\n')]);
  for (const line of LINES) expect(formsIn(line, forms)).toEqual([]);
  return Object.values(forms).reduce((sum, { work }) => sum + work.comparisons, 0);
}

it('what a line costs does not depend on how long the secrets are', () => {
  expect(comparisons(1)).toBeLessThan(20);
  expect(comparisons(500)).toBeLessThan(20);
});

it('a position is compared with few of the forms that begin alike', () => {
  const forms = formsOf(Array.from({ length: 1_000 }, (_, index) => `eyJhbGciOiJIUzI1NiJ9.${1_000 + index}`));
  expect(formsIn('eyJhbGciOiJIUzI1NiJ9 '.repeat(100), forms)).toEqual([]);
  expect(forms.whole.work.comparisons).toBeLessThan(1_000);
});
