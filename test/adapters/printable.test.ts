import { describe, expect, it } from 'vitest';
import { fewLines, oneLine } from '../../src/adapters/printable.js';

describe('a text from outside', () => {
  it.each([
    ['colours', '\x1b[1;31mred\x1b[0m', 'red'],
    ['a title', 'a\x1b]0;title\x07b', 'ab'],
    ['the clipboard (OSC 52)', 'a\x1b]52;c;aGk=\x1b\\b', 'ab'],
    ['a sequence without end', 'a\x1b]52;c;aGk=', 'a'],
    ['8-bit sequences', 'a\x9b31mb\x9d0;t\x9cc', 'abc'],
    ['line feeds and a workflow command', 'a\n::add-mask::x\r\nb', 'a ::add-mask::x b'],
    ['other control characters', 'a\x00\x07\x7f\tb', 'a b'],
    ['reversed text', 'a\u202eb\u2066c', 'a b c'],
    ['line separators', 'a\u2028b\u2029c', 'a b c'],
    ['letters of all languages', 'größe 日本 🎉', 'größe 日本 🎉'],
  ])('loses %s', (_what, text, cleaned) => {
    expect(oneLine(text)).toBe(cleaned);
  });

  it('is cut at a limit', () => {
    expect(oneLine('x'.repeat(1000))).toBe(`${'x'.repeat(300)}…`);
    expect(oneLine('x'.repeat(300))).toBe('x'.repeat(300));
  });

  it('keeps its first lines where several are wanted', () => {
    expect(fewLines('a\r\n\n b\x1b[31m\nc\nd', 3)).toBe('a\nb\nc');
  });
});
