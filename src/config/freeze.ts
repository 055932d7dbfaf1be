/** Times in which nothing is deployed: as they are written, and when they begin and end. */

import { suggest } from './suggest.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** A day of the week, or a date, with a time of that day. */
export type Moment = { minutes: number } & ({ day: number; date?: undefined } | { date: number; day?: undefined });

export interface FreezeWindow {
  /** As written: `Fri 16:00`. */
  from: string;
  to: string;
  /** `Europe/Paris` */
  timezone: string;
}

/** `Fri 16:00` or `2026-12-23 18:00`; undefined when it is neither. */
export function parseMoment(text: string): Moment | undefined {
  const [, word = '', hours, minutes] = /^(\S+) ([01]?\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hours === undefined) return undefined;
  const time = { minutes: Number(hours) * 60 + Number(minutes) };
  const day = DAYS.indexOf(word.toLowerCase());
  if (day >= 0) return { ...time, day };
  const date = /^\d{4}-\d\d-\d\d$/.test(word) ? Date.parse(`${word}T00:00:00Z`) : Number.NaN;
  // 2026-02-30 would be a day in March.
  const isReal = !Number.isNaN(date) && new Date(date).toISOString().startsWith(word);
  return isReal ? { ...time, date } : undefined;
}

/** A date that no calendar has. */
export function isNoDate(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\d /.test(text) &&
    parseMoment(text.replace(/^\S+/, '2026-01-01')) !== undefined &&
    !parseMoment(text)
  );
}

/** The last day of its month, for a date that no calendar has; undefined where there is no such month either. */
export function realDateLike(text: string): string | undefined {
  const [, year, month, time] = /^(\d{4})-(\d\d)-\d\d (.+)$/.exec(text) ?? [];
  if (time === undefined || Number(month) < 1 || Number(month) > 12) return undefined;
  const last = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return `${year}-${month}-${String(last).padStart(2, '0')} ${time}`;
}

/** `Europe/Paris` of `Paris`, or of `Europe/Pari`. */
export function timezoneLike(name: string): string | undefined {
  const known = Intl.supportedValuesOf('timeZone');
  const word = name.trim().replaceAll(' ', '_').toLowerCase();
  return known.find((zone) => zone.toLowerCase().endsWith(`/${word}`)) ?? suggest(name, known);
}

export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Windows of the week can follow each other without an end. */
const MAX_FOLLOWED = 100;

export interface Frozen {
  /** Of several windows that hold now, the one that ends last. */
  window: FreezeWindow;
  /**
   * When nothing is frozen any more, in ms: a window that ends while another one holds, or as another one begins, is no end;
   * undefined where they leave no time in between.
   */
  until: number | undefined;
  /** `until` is the end of a window that follows. */
  isFollowed: boolean;
}

export function frozenAt(windows: readonly FreezeWindow[], now: number): Frozen | undefined {
  const first = openAt(windows, now);
  if (first === undefined) return undefined;
  const { window } = first;
  let { until } = first;
  for (let followed = 0; followed < MAX_FOLLOWED; followed += 1) {
    const next = openAt(windows, until);
    if (next === undefined) return { window, until, isFollowed: followed > 0 };
    until = next.until;
  }
  return { window, until: undefined, isFollowed: true };
}

function openAt(windows: readonly FreezeWindow[], now: number): { window: FreezeWindow; until: number } | undefined {
  const open = windows.flatMap((window) =>
    spansOf(window, now)
      .filter(({ from, to }) => from <= now && now < to)
      .map(({ to }) => ({ window, until: to })),
  );
  return open.sort((a, b) => b.until - a.until)[0];
}

/** The spans of a window that can hold now. */
function spansOf({ from: written, to: end, timezone }: FreezeWindow, now: number): { from: number; to: number }[] {
  const [from, to] = [parseMoment(written), parseMoment(end)];
  if (from === undefined || to === undefined) return [];
  if (from.date !== undefined && to.date !== undefined) return [span(from.date, from, to.date, to, timezone)];
  if (from.day === undefined || to.day === undefined) return [];
  const today = Math.floor((now + offsetAt(now, timezone)) / DAY_MS) * DAY_MS;
  const sinceFrom = (new Date(today).getUTCDay() - from.day + 7) % 7;
  const days = (to.day - from.day + 7) % 7 || (to.minutes > from.minutes ? 0 : 7);
  return [sinceFrom, sinceFrom + 7].map((ago) => {
    const first = today - ago * DAY_MS;
    return span(first, from, first + days * DAY_MS, to, timezone);
  });
}

/** Where a clock is put back, it begins with the first of the two times and ends with the second. */
function span(firstDay: number, from: Moment, lastDay: number, to: Moment, timezone: string) {
  return {
    from: Math.min(...instantsOf(firstDay + from.minutes * MINUTE_MS, timezone)),
    to: Math.max(...instantsOf(lastDay + to.minutes * MINUTE_MS, timezone)),
  };
}

/**
 * When the clocks of the zone show this time: twice where they are put back; where they skip it, the moments that it would
 * be before and after.
 * @param local as if it were UTC, in ms
 */
function instantsOf(local: number, timezone: string): number[] {
  const candidates = [offsetAt(local - DAY_MS, timezone), offsetAt(local + DAY_MS, timezone)].map(
    (offset) => local - offset,
  );
  const shown = candidates.filter((instant) => instant + offsetAt(instant, timezone) === local);
  return shown.length > 0 ? shown : candidates;
}

/** What the clocks of the zone are ahead of UTC, in ms. */
function offsetAt(instant: number, timezone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return local - Math.floor(instant / 1_000) * 1_000;
}
