/** A header that holds a number, or undefined. Works on axios' headers and on plain objects with lower-case names. */
export function headerNumber(headers: unknown, name: string): number | undefined {
  const text = headerText(headers, name);
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

export function headerText(headers: unknown, name: string): string | undefined {
  const value = property(headers, name);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** The limits count the requests of an hour: no wait for them is longer. A minute of it is for clocks that differ. */
const LONGEST_WAIT_MS = 61 * 60_000;

/** When requests are taken again (ms since the epoch), by `ratelimit-reset`; undefined when it makes no sense. */
export function resetTime(headers: unknown, now: number): number | undefined {
  const seconds = headerNumber(headers, 'ratelimit-reset');
  if (seconds === undefined || seconds < 0 || seconds * 1_000 > now + LONGEST_WAIT_MS) return undefined;
  return seconds * 1_000;
}

/** How long to wait, in ms, by `retry-after`; undefined when it makes no sense. */
export function retryAfter(headers: unknown): number | undefined {
  const seconds = headerNumber(headers, 'retry-after');
  if (seconds === undefined || seconds < 0 || seconds * 1_000 > LONGEST_WAIT_MS) return undefined;
  return seconds * 1_000;
}

/** A property of anything: errors and answers from outside have no shape to rely on. */
export function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
