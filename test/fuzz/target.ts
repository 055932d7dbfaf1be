import type fc from 'fast-check';

/** Something of do-deploy that reads text from outside, and what must hold whatever that text is. */
export interface Target<T = unknown> {
  /** For `npm run fuzz -- --target NAME`. */
  name: string;
  /** How many inputs `npm test` plays: more for what is fast. */
  runs: number;
  inputs: fc.Arbitrary<T>;
  /** Throws what is wrong. An input that is refused as it should be is fine. */
  check(input: T): void | Promise<void>;
}

/** Keeps the types of an input and of its check together. */
export function target<T>(declared: Target<T>): Target {
  return declared as Target;
}

/** Thrown by a check. */
export class Broken extends Error {}

export function expectThat(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}
