import { describe, expect, it } from 'vitest';
import { unifiedDiff } from '../../../src/deploy/plan/unified-diff.js';
import { random, upTo } from '../../simulation/random.js';

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`).join('\n');

/** Applies a diff as patch does. */
function patched(before: string, diff: string): string {
  const old = before.split('\n');
  const out: string[] = [];
  let at = 0;
  for (const line of diff.split('\n')) {
    const [, start, count] = /^@@ -(\d+)(?:,(\d+))? \+/.exec(line) ?? [];
    if (start !== undefined) {
      const from = Number(start) - (count === '0' ? 0 : 1);
      out.push(...old.slice(at, from));
      at = from;
    } else if (line.startsWith('+')) out.push(line.slice(1));
    else {
      expect(old[at]).toBe(line.slice(1));
      if (line.startsWith(' ')) out.push(line.slice(1));
      at += 1;
    }
  }
  return [...out, ...old.slice(at)].join('\n');
}

describe('a unified diff', () => {
  it('has three lines around each change, and joins changes that are near', () => {
    const before = numbers(1, 20);
    expect(unifiedDiff(before, before)).toBe('');
    expect(unifiedDiff(before, before.replace('\n10\n', '\nten\n'))).toBe(
      '@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13',
    );
    const far = unifiedDiff(before, before.replace('2\n3', '2\nnew\n3').replace('\n18\n', '\n'));
    expect(far.match(/^@@ .*$/gm)).toEqual(['@@ -1,5 +1,6 @@', '@@ -15,6 +16,5 @@']);
  });

  it('of a new and of an emptied file', () => {
    expect(unifiedDiff('', 'a\nb\n')).toBe('@@ -0,0 +1,2 @@\n+a\n+b');
    expect(unifiedDiff('a\n', '')).toBe('@@ -1 +0,0 @@\n-a');
  });

  it('turns one text into the other', () => {
    const chance = random(7);
    const text = () => Array.from({ length: 1 + upTo(chance, 30) }, () => 'abc'[upTo(chance, 2)]).join('\n');
    for (let run = 0; run < 300; run += 1) {
      const [before, after] = [text(), text()];
      expect(patched(before, unifiedDiff(before, after))).toBe(after);
    }
  });

  it('of two long texts that have nothing in common is quick', () => {
    const [before, after] = [numbers(1, 20_000), numbers(30_001, 50_000)];
    expect(unifiedDiff(before, after).split('\n')).toHaveLength(40_001);
  });
});
