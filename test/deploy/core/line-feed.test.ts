import { describe, expect, it } from 'vitest';
import { LineFeed, textLines } from '../../../src/deploy/core/line-feed.js';

function feed() {
  const lines: string[] = [];
  return { lines, feed: new LineFeed(textLines, (line) => lines.push(line)) };
}

describe('output as lines', () => {
  it('comes line by line, however it is cut; the last one at the end', () => {
    const { lines, feed: one } = feed();
    const add = one.start();
    const bytes = Buffer.from('größer\n\nzwei\ndrei');
    for (const byte of bytes) add(Buffer.from([byte]));
    expect(lines).toEqual(['größer', '', 'zwei']);
    one.end();
    one.end();
    expect(lines).toEqual(['größer', '', 'zwei', 'drei']);
  });

  it('is handed on once, when a second attempt prints it again', () => {
    const { lines, feed: one } = feed();
    one.start()(Buffer.from('1\n2\nhal'));
    const again = one.start();
    again(Buffer.from('1\n2\n'));
    again(Buffer.from('half\n4'));
    one.end();
    expect(lines).toEqual(['1', '2', 'half', '4']);
  });

  it('has lines of bounded length', () => {
    const { lines, feed: one } = feed();
    const add = one.start();
    for (let piece = 0; piece < 100; piece += 1) add(Buffer.from('x'.repeat(1_000)));
    add(Buffer.from('\nshort\n'));
    expect(lines.map(({ length }) => length)).toEqual([10_000, 5]);
  });
});
