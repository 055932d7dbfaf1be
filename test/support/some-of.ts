/**
 * Of cases that resemble each other, continuous integration plays every Nth, to end in time: TEST_EVERY=N. Without it, all
 * are played.
 */
const EVERY = Number(process.env.TEST_EVERY ?? 1);

/** All cases are played here. */
export const ALL = EVERY === 1;

/** One of each N neighbours, and not always the same one: many cases come in pairs. */
export function someOf<T>(cases: readonly T[]): T[] {
  return cases.filter((_, index) => (index + Math.floor(index / EVERY)) % EVERY === 0);
}
