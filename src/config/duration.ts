const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

export const DURATION = /^(\d{1,9})(ms|s|m|h)$/;
/** Anything longer is a mistake; timers also overflow at 24 days. */
export const LONGEST_MS = 24 * UNITS.h;

/** A duration in ms, from `500ms`, `30s`, `2m` or `1h`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = DURATION.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * UNITS[unit as keyof typeof UNITS];
}
