import { describe, expect, it } from 'vitest';
import { DockerLog } from '../../../src/deploy/core/docker-log.js';
import { createRedactor } from '../../../src/reporters/redactor.js';

const PART = 16 * 1024;
const stamp = (second: number) => `2026-11-21T07:45:0${second}.123456789Z `;

/** The texts of lines, whatever pieces the log comes in. */
function linesOf(log: string | Buffer, streams: 1 | 2 = 2): string[] {
  const bytes = Buffer.from(log);
  const read = (size: number) => {
    const reader = new DockerLog(streams, 1024 * 1024);
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    return [...pieces.flatMap((piece) => reader.read(piece)), ...reader.end()].map(({ text }) => text.toString('utf8'));
  };
  const whole = read(bytes.length);
  expect(read(1_001)).toEqual(whole);
  return whole;
}

/** A line as Docker hands it on, in parts. */
function logged(text: string, second = 1): string[] {
  const bytes = Buffer.from(text);
  const parts = Array.from({ length: Math.floor(bytes.length / PART) + 1 }, (_, index) =>
    bytes.subarray(index * PART, (index + 1) * PART),
  );
  return parts.map((part) => stamp(second) + part.toString('latin1'));
}

const bytesOf = (parts: readonly string[]) => Buffer.from(`${parts.join('')}\n`, 'latin1');

describe('a line that Docker has split', () => {
  it('is whole again, in bytes: also a secret, and a character of several bytes at the seam', () => {
    const secret = 'app-secret-4f1b9a77';
    const text = `{"token":"${'é'.repeat((PART - 16) / 2)}${secret}${'€'.repeat(PART)}"}`;
    expect(linesOf(bytesOf(logged(text)))).toEqual([text]);
    expect(createRedactor([secret])(linesOf(bytesOf(logged(text)))[0] ?? '')).not.toContain('4f1b9a');
  });

  it.each([PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 1])('has its text when it has %i bytes', (size) => {
    const text = 'x'.repeat(size);
    expect(linesOf(`${logged(text).join('')}\n${stamp(2)}next\n`)).toEqual([text, 'next']);
  });

  it('keeps times of the program’s own', () => {
    const text = `${stamp(3)}began ${'x'.repeat(PART)} ended at ${stamp(0)}or 2026-11-21T07:45:09Z ${stamp(0)}`;
    expect(linesOf(`${logged(text).join('')}\n`)).toEqual([text]);
    const short = `it began at ${stamp(9)}and ended`;
    expect(linesOf(`${stamp(1)}${short}\n`)).toEqual([short]);
  });

  it('is put together where a line of the other output stands between its parts', () => {
    const [first = '', second = '', third = ''] = logged(`${'a'.repeat(2 * PART)}b`);
    expect(linesOf(`${first}${stamp(2)}error\n${second}${third}\n`)).toEqual(['error', `${'a'.repeat(2 * PART)}b`]);
    expect(linesOf(`${first}${stamp(2)}error\n`)).toEqual(['error', 'a'.repeat(PART)]);
  });

  it('ends where the driver "local" prints the next one without a line feed', () => {
    const a = logged(`${'a'.repeat(PART)}end`).join('');
    const b = logged('b'.repeat(PART), 2).join('');
    expect(linesOf(`${a}${b}${stamp(3)}c\n`)).toEqual([`${'a'.repeat(PART)}end`, 'b'.repeat(PART), 'c']);
  });

  it('is bounded, also over many parts that never end', () => {
    const reader = new DockerLog(2, 100_000);
    const parts = Array.from({ length: 50 }, () => `${stamp(1)}${'a'.repeat(PART)}${stamp(2)}error\n`);
    const lines = [...parts.flatMap((part) => reader.read(Buffer.from(part))), ...reader.end()];
    expect(lines).toHaveLength(51);
    expect(lines.at(-1)).toMatchObject({ isCut: true, text: { length: 100_000 } });
    const many = Array.from({ length: 9 }, (_, second) => `${stamp(second)}${'a'.repeat(PART)}`).join('');
    expect(reader.read(Buffer.from(`${many}${stamp(9)}end\n`)).map(({ text }) => text.length)).toContain(PART);
  });
});
