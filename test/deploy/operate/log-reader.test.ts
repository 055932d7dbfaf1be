import { describe, expect, it } from 'vitest';
import { LogReader } from '../../../src/deploy/operate/logs/log-reader.js';

const stamp = (second: number, fraction = '000000000') => `2026-11-21T07:45:0${second}.${fraction}Z`;
const line = (second: number, text: string) => `${stamp(second)} ${text}\n`;

function read(reader: LogReader, ...chunks: (string | Buffer)[]): string[] {
  const aside: string[] = [];
  const lines = chunks.flatMap((chunk) => reader.read(Buffer.from(chunk), (text) => aside.push(text)));
  return [...lines.map(({ text }) => text), ...aside.map((text) => `aside ${text}`)];
}

describe('a reader of a log', () => {
  it('reads lines from pieces of any size, characters of several bytes too', () => {
    const bytes = Buffer.from(line(1, 'größe') + line(2, ''));
    const pieces = [...bytes].map((byte) => Buffer.from([byte]));
    expect(read(new LogReader(), ...pieces)).toEqual(['größe', '']);
  });

  it('makes times comparable', () => {
    const reader = new LogReader();
    const lines = reader.read(Buffer.from('2026-11-21T08:45:01.5+01:00 a\n2026-11-21T07:45:01Z b\n'), () => {});
    expect(lines.map(({ time }) => time)).toEqual(['2026-11-21T07:45:01.500000000Z', '2026-11-21T07:45:01.000000000Z']);
  });

  it('goes on where it was: no line twice, none lost, also of several with one time', () => {
    const reader = new LogReader();
    const all = [line(1, 'a'), line(2, 'b'), line(2, 'c'), line(2, 'd'), line(3, 'e')];
    expect(read(reader, ...all.slice(0, 3))).toEqual(['a', 'b', 'c']);
    expect(reader.position).toBe(stamp(2));
    reader.restart();
    // From that time on, and from earlier.
    expect(read(reader, ...all.slice(1, 3))).toEqual([]);
    reader.restart();
    expect(read(reader, ...all)).toEqual(['d', 'e']);
    reader.restart();
    expect(read(reader, ...all)).toEqual([]);
  });

  it('forgets a half line when the reading begins again', () => {
    const reader = new LogReader();
    expect(read(reader, line(1, 'a'), `${stamp(2)} cut o`)).toEqual(['a']);
    reader.restart();
    expect(read(reader, line(1, 'a'), line(2, 'cut off'))).toEqual(['cut off']);
  });

  it('does not take lines for old when a clock was set back', () => {
    expect(read(new LogReader(), line(5, 'a'), line(3, 'b'), line(3, 'c'))).toEqual(['a', 'b', 'c']);
  });

  it('takes the times out of a long line, and cuts an endless one', () => {
    const part = 'x'.repeat(16 * 1024);
    expect(read(new LogReader(), `${stamp(1)} ${part}${stamp(1)} ${part}${stamp(1)} end\n`)).toEqual([
      `${part}${part}end`,
    ]);
    const [cut = ''] = read(new LogReader(), `${stamp(1)} `, ...Array.from({ length: 100 }, () => part), '\n');
    expect(cut.length).toBeLessThan(70_000);
    expect(cut.endsWith('…')).toBe(true);
  });

  it('sets apart what Docker itself says', () => {
    expect(read(new LogReader(), 'Error: No such container: 4f1b\n', line(1, 'a'))).toEqual([
      'a',
      'aside Error: No such container: 4f1b',
    ]);
  });

  it('ends with a line without a line feed', () => {
    const reader = new LogReader();
    read(reader, `${stamp(1)} last`);
    expect(reader.end(() => {}).map(({ text }) => text)).toEqual(['last']);
  });
});
