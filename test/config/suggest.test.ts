import { describe, expect, it } from 'vitest';
import { listWords, suggest } from '../../src/config/suggest.js';

describe('a suggestion', () => {
  const KNOWN = ['staging', 'production', 'health', 'drain'];

  it.each([
    ['prodution', 'production'],
    ['porduction', 'production'],
    ['Production', 'production'],
    ['stagging', 'staging'],
    ['heath', 'health'],
    ['drian', 'drain'],
  ])('for %s is %s', (word, meant) => {
    expect(suggest(word, KNOWN)).toBe(meant);
  });

  it.each(['x', 'preview', 'grain-elevator', ''])('is not made for %j', (word) => {
    expect(suggest(word, KNOWN)).toBeUndefined();
  });

  it('is the closest of several', () => {
    expect(suggest('tests', ['test', 'texts', 'tents-x'])).toBe('test');
  });
});

it('words are listed as a sentence does', () => {
  expect([listWords([]), listWords(['a']), listWords(['a', 'b', 'c'], 'or')]).toEqual(['', 'a', 'a, b or c']);
});
