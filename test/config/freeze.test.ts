import { describe, expect, it } from 'vitest';
import { frozenAt, parseMoment, realDateLike } from '../../src/config/freeze.js';
import { deployYml, problemsIn } from './project-folder.js';

const PARIS = 'Europe/Paris';
const until = (from: string, to: string, now: string, timezone = PARIS) => {
  const frozen = frozenAt([{ from, to, timezone }], Date.parse(now));
  return frozen && new Date(frozen.until ?? Number.NaN).toISOString();
};

it.each([
  ['Fri 16:00', true],
  ['fri 9:05', true],
  ['2026-12-23 18:00', true],
  ['Fri 24:00', false],
  ['Friday 16:00', false],
  ['2026-02-30 18:00', false],
  ['16:00', false],
  ['', false],
])('%j is a moment: %j', (text, is) => {
  expect(parseMoment(text) !== undefined).toBe(is);
});

it.each([
  ['2026-02-30 08:00', '2026-02-28 08:00'],
  ['2028-02-30 08:00', '2028-02-29 08:00'],
  ['2026-11-31 8:00', '2026-11-30 8:00'],
  ['2026-13-01 08:00', undefined],
  ['2026-00-01 08:00', undefined],
])('instead of %s, %s may be meant', (written, real) => {
  expect(realDateLike(written)).toBe(real);
});

it.each([
  ['{ from: 2026-02-30 08:00, to: 2026-03-02 08:00 }', 'write `from: 2026-02-28 08:00`'],
  ['{ from: 2026-14-01 08:00, to: 2026-03-02 08:00 }', 'write `from: 2026-12-23 18:00`'],
  ['{ from: Fri 16:00, to: Mon 08:00, tz: Europe/Paris }', 'did you mean timezone?'],
])('%s: %s', async (window, remedy) => {
  expect(await problemsIn(deployYml(`freeze: [${window}]`))).toEqual([expect.stringContaining(remedy)]);
});

describe('a window of the week', () => {
  // In November, Paris is one hour ahead of UTC. 2026-11-27 is a Friday.
  it.each([
    ['2026-11-27T14:59:59Z', undefined],
    ['2026-11-27T15:00:00Z', '2026-11-30T07:00:00.000Z'],
    ['2026-11-29T23:30:00Z', '2026-11-30T07:00:00.000Z'],
    ['2026-11-30T06:59:59Z', '2026-11-30T07:00:00.000Z'],
    ['2026-11-30T07:00:00Z', undefined],
    ['2026-11-25T12:00:00Z', undefined],
  ])('that ends in the next week holds at %s: %s', (now, end) => {
    expect(until('Fri 16:00', 'Mon 08:00', now)).toBe(end);
  });

  it('of one day, and one of almost a week', () => {
    expect(until('Wed 10:00', 'Wed 12:00', '2026-11-25T10:30:00Z')).toBe('2026-11-25T11:00:00.000Z');
    expect(until('Wed 10:00', 'Wed 12:00', '2026-11-25T11:00:00Z')).toBeUndefined();
    expect(until('Wed 12:00', 'Wed 10:00', '2026-11-25T08:59:00Z')).toBe('2026-11-25T09:00:00.000Z');
    expect(until('Wed 12:00', 'Wed 10:00', '2026-11-25T10:30:00Z')).toBeUndefined();
    expect(until('Wed 12:00', 'Wed 10:00', '2026-11-28T10:30:00Z')).toBe('2026-12-02T09:00:00.000Z');
  });

  it('is that of its time zone', () => {
    expect(until('Mon 00:00', 'Mon 01:00', '2026-11-29T13:30:00Z', 'Asia/Kamchatka')).toBeUndefined();
    expect(until('Mon 00:00', 'Mon 02:00', '2026-11-29T13:30:00Z', 'Asia/Kamchatka')).toBe('2026-11-29T14:00:00.000Z');
    expect(until('Sun 23:00', 'Mon 01:00', '2026-11-30T09:30:00Z', 'Pacific/Honolulu')).toBe(
      '2026-11-30T11:00:00.000Z',
    );
  });
});

describe('where the clocks change', () => {
  it('a window over a weekend is an hour longer or shorter', () => {
    // Back on 2026-10-25, forward on 2026-03-29.
    expect(until('Fri 16:00', 'Mon 08:00', '2026-10-23T14:00:00Z')).toBe('2026-10-26T07:00:00.000Z');
    expect(until('Fri 16:00', 'Mon 08:00', '2026-03-27T15:00:00Z')).toBe('2026-03-30T06:00:00.000Z');
  });

  it('a time that comes twice begins with the first and ends with the second', () => {
    expect(until('Sun 02:30', 'Sun 03:30', '2026-10-25T00:30:00Z')).toBe('2026-10-25T02:30:00.000Z');
    expect(until('Sun 00:00', 'Sun 02:30', '2026-10-25T01:29:00Z')).toBe('2026-10-25T01:30:00.000Z');
  });

  it('a time that is skipped ends late rather than early', () => {
    expect(until('Sun 00:00', 'Sun 02:30', '2026-03-29T01:10:00Z')).toBe('2026-03-29T01:30:00.000Z');
  });
});

describe('a window between two dates', () => {
  it.each([
    ['2026-12-23T16:59:00Z', undefined],
    ['2026-12-23T17:00:00Z', '2027-01-02T07:00:00.000Z'],
    ['2027-01-02T06:59:00Z', '2027-01-02T07:00:00.000Z'],
    ['2027-01-02T07:00:00Z', undefined],
  ])('holds at %s: %s', (now, end) => {
    expect(until('2026-12-23 18:00', '2027-01-02 08:00', now)).toBe(end);
  });
});

it('of several windows, the one that ends last counts', () => {
  const windows = [
    { from: 'Fri 16:00', to: 'Mon 08:00', timezone: 'UTC' },
    { from: 'Sat 00:00', to: 'Tue 00:00', timezone: 'UTC' },
  ];
  expect(frozenAt(windows, Date.parse('2026-11-28T12:00:00Z'))?.window).toBe(windows[1]);
  expect(frozenAt([], 0)).toBeUndefined();
});

describe('windows that follow each other', () => {
  const all = (now: string, ...written: [string, string][]) => {
    const windows = written.map(([from, to]) => ({ from, to, timezone: 'UTC' }));
    const frozen = frozenAt(windows, Date.parse(now));
    return frozen && [frozen.window.from, new Date(frozen.until ?? Number.NaN).toISOString(), frozen.isFollowed];
  };

  it.each<[string, [string, string][]]>([
    [
      'touch',
      [
        ['Fri 16:00', 'Sun 08:00'],
        ['Sun 08:00', 'Mon 08:00'],
      ],
    ],
    [
      'overlap',
      [
        ['Fri 16:00', 'Sun 08:00'],
        ['Sat 08:00', 'Mon 08:00'],
      ],
    ],
    [
      'touch a date',
      [
        ['Fri 16:00', 'Mon 00:00'],
        ['2026-11-30 00:00', '2026-11-30 08:00'],
      ],
    ],
  ])('and %s end together', (_, windows) => {
    for (const order of [windows, [...windows].reverse()])
      expect(all('2026-11-27T17:00:00Z', ...order)).toEqual(['Fri 16:00', '2026-11-30T08:00:00.000Z', true]);
  });

  it('leave a gap where there is one', () => {
    const gap: [string, string][] = [
      ['Fri 16:00', 'Sat 08:00'],
      ['Sat 08:01', 'Mon 08:00'],
    ];
    expect(all('2026-11-27T17:00:00Z', ...gap)?.slice(1)).toEqual(['2026-11-28T08:00:00.000Z', false]);
  });

  it('for ever have no end', () => {
    const windows = ['Fri 16:00 Mon 08:00', 'Mon 08:00 Fri 16:00'].map((written) => {
      return { from: written.slice(0, 9), to: written.slice(10), timezone: 'UTC' };
    });
    expect(frozenAt(windows, Date.parse('2026-11-27T17:00:00Z'))).toMatchObject({ until: undefined });
  });
});
