/** The kinds of arguments that a command can declare: each has its help and turns words into a typed value. */

import { LONGEST_MS, parseDuration } from '../config/duration.js';
import { LEFT_OUT } from './left-out.js';

export interface Argument<T> {
  /** For help: one line, no full stop. */
  readonly describe: string;
  /** What help calls the value: `DURATION`. Absent for a switch. */
  readonly value?: string;
  /** The value may be left out; what follows is the value only if it is a number. */
  readonly isOptional?: boolean;
  /** A single letter. */
  readonly alias?: string;
  readonly choices?: readonly string[];
  /** A positional that must be given. */
  readonly isRequired?: boolean;
  /**
   * @param words as given, in order; none if absent. If there are several, most kinds take the last one.
   * @throws InvalidValue
   */
  read(words: readonly string[]): T;
}

export type Arguments = Readonly<Record<string, Argument<unknown>>>;

export type ValuesOf<A extends Arguments> = { readonly [K in keyof A]: A[K] extends Argument<infer T> ? T : never };

/** A value that an argument does not take. */
export class InvalidValue extends Error {
  /**
   * @param expected completes "expected …"
   * @param example a value that would be taken
   */
  constructor(
    readonly expected: string,
    readonly example: string,
  ) {
    super(`expected ${expected}`);
  }
}

interface Described {
  describe: string;
  value?: string;
  alias?: string;
}

/** `--force`: on or off. */
export function flag(declared: Omit<Described, 'value'>): Argument<boolean> {
  return { ...declared, read: (words) => words.length > 0 };
}

/** Any text, or only what matches `pattern`. */
export function text(
  declared: Described & { pattern?: { regexp: RegExp; expected: string; example: string } },
): Argument<string | undefined> {
  const { pattern, ...described } = declared;
  return {
    value: 'TEXT',
    ...described,
    read(words) {
      const word = words.at(-1);
      if (word === undefined || pattern === undefined || pattern.regexp.test(word)) return word;
      throw new InvalidValue(pattern.expected, pattern.example);
    },
  };
}

/** An option that may be given several times. */
export function list(declared: Described): Argument<readonly string[]> {
  return { value: 'TEXT', ...declared, read: (words) => words };
}

export function choice<const T extends string>(
  declared: Described & { choices: readonly [T, ...T[]] },
): Argument<T | undefined> {
  const { choices } = declared;
  return {
    value: choices.join('|'),
    ...declared,
    read(words) {
      const word = words.at(-1);
      const chosen = choices.find((one) => one === word);
      if (word !== undefined && chosen === undefined)
        throw new InvalidValue(`one of ${choices.join(', ')}`, choices[0]);
      return chosen;
    },
  };
}

/** A whole number from `min` to `max`. */
export function integer(declared: Described & { min: number; max: number; default: number }): Argument<number> {
  const { min, max, default: usual, ...described } = declared;
  return {
    value: 'N',
    ...described,
    describe: `${described.describe} (default: ${usual})`,
    read(words) {
      const word = words.at(-1) ?? String(usual);
      const number = /^\d{1,9}$/.test(word) ? Number(word) : Number.NaN;
      if (number >= min && number <= max) return number;
      throw new InvalidValue(`a number from ${min} to ${max}`, String(usual));
    },
  };
}

/** A regular expression of JavaScript; undefined if absent. */
export function regularExpression(declared: Described): Argument<RegExp | undefined> {
  return {
    value: 'RE',
    ...declared,
    read(words) {
      const word = words.at(-1);
      try {
        return word === undefined ? undefined : new RegExp(word);
      } catch {
        throw new InvalidValue('a regular expression', 'error|timeout');
      }
    },
  };
}

/** A TCP port; undefined if absent. */
export function portNumber(declared: Described): Argument<number | undefined> {
  return {
    value: 'PORT',
    ...declared,
    read(words) {
      const word = words.at(-1);
      if (word === undefined) return undefined;
      const number = /^\d{1,5}$/.test(word) ? Number(word) : 0;
      if (number >= 1 && number <= 65_535) return number;
      throw new InvalidValue('a port number from 1 to 65535', '3000');
    },
  };
}

/** A switch that may have a number from 1 to `max`: `--canary` or `--canary 2`. True: without a number. */
export function numberedFlag(declared: Described & { value: string; max: number }): Argument<number | boolean> {
  const { max, ...described } = declared;
  return {
    ...described,
    isOptional: true,
    read(words) {
      const word = words.at(-1);
      if (word === undefined) return false;
      if (word === LEFT_OUT) return true;
      const number = /^\d{1,9}$/.test(word) ? Number(word) : 0;
      if (number >= 1 && number <= max) return number;
      throw new InvalidValue(`a number from 1 to ${max}`, '1');
    },
  };
}

/** Names, separated by commas; the option may be given several times. Empty if absent. */
export function names(declared: Described & { example: string }): Argument<readonly string[]> {
  const { example, ...described } = declared;
  return {
    value: 'NAMES',
    ...described,
    read(words) {
      const found = words.flatMap((word) => word.split(',')).map((name) => name.trim());
      if (!found.includes('')) return [...new Set(found)];
      throw new InvalidValue('names, separated by commas', example);
    },
  };
}

/** In ms, at most 24 h; 0 if absent. */
export function duration(declared: Described & { example: string }): Argument<number> {
  const { example, ...described } = declared;
  return {
    value: 'DURATION',
    ...described,
    read(words) {
      const ms = parseDuration(words.at(-1) ?? '0s');
      if (ms !== undefined && ms <= LONGEST_MS) return ms;
      throw new InvalidValue('a duration of at most 24h', example);
    },
  };
}

/** A positional that must be given. */
export function required<T>(argument: Argument<T>): Argument<Exclude<T, undefined>> {
  return { ...argument, isRequired: true } as Argument<Exclude<T, undefined>>;
}
