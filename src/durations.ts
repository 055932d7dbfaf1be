/** Durations in words, as all messages have them. */

/** "in 3 d 4 h", "in 2 years": how far away a moment is. */
export function fromNow(ms: number): string {
  const years = Math.floor(ms / YEAR_MS);
  return years >= 2 ? `in ${years} years` : `in ${inWords(ms)}`;
}

const YEAR_MS = 365.25 * 86_400_000;

const UNITS: readonly [name: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** "300 ms", "1.5 s", "24 s", "2 min 30 s", "1 h 5 min", "2 d 15 h" */
export function inWords(ms: number): string {
  if (ms < 100) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${Number((ms / 1_000).toFixed(1))} s`;
  return wholeSeconds(Math.round(ms / 1_000) * 1_000);
}

/** For what is still running: "3 s", "3 min 5 s", "1 h 5 min" */
export function wholeSeconds(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const first = UNITS.findIndex(([, size]) => seconds >= size);
  if (first < 0) return '0 s';
  const [name, size] = UNITS[first] as [string, number];
  const [smaller, part] = UNITS[first + 1] ?? ['', Number.POSITIVE_INFINITY];
  const rest = Math.floor((seconds % size) / part);
  return `${Math.floor(seconds / size)} ${name}${rest > 0 ? ` ${rest} ${smaller}` : ''}`;
}
