import { NotImplemented } from '../failure.js';

export interface FlagSpec {
  /** Flags without value. */
  switches?: readonly string[];
  /** Flags with one. Several spellings of the same flag are separated by `|`: `-f|--file`. */
  options?: readonly string[];
}

/** What was given, each flag by the last of its spellings. */
export interface Flags {
  has(flag: string): boolean;
  value(flag: string): string | undefined;
  values(flag: string): string[];
  words: string[];
}

/**
 * Reads a command's arguments. A flag that the specification lacks is not implemented. `--x=y`, `-x y` and joined
 * short switches (`-aq`) are understood. With `untilWord`, reading stops at the first word; the rest is `words`.
 */
export function readFlags(command: string, args: readonly string[], spec: FlagSpec, untilWord = false): Flags {
  const given = new Map<string, string[]>();
  const words: string[] = [];
  const canonical = (flag: string, among: readonly string[] = []) =>
    among
      .map((spellings) => spellings.split('|'))
      .find((spellings) => spellings.includes(flag))
      ?.at(-1);

  const left = [...args];
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (!arg.startsWith('-') || arg === '-') {
      words.push(arg, ...(untilWord ? left : []));
      if (untilWord) break;
      continue;
    }
    const equals = arg.startsWith('--') ? arg.indexOf('=') : -1;
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const option = canonical(flag, spec.options);
    if (option !== undefined) {
      const value = equals < 0 ? left.shift() : arg.slice(equals + 1);
      if (value === undefined) throw new NotImplemented(`${command}: ${flag} without a value`);
      given.set(option, [...(given.get(option) ?? []), value]);
      continue;
    }
    const letters = /^-\w{2,}$/.test(arg) ? [...arg.slice(1)].map((letter) => `-${letter}`) : [arg];
    for (const letter of letters) {
      const name = canonical(letter, spec.switches);
      if (name === undefined) throw new NotImplemented(`${command} ${arg}`);
      given.set(name, []);
    }
  }
  return {
    has: (flag) => given.has(flag),
    value: (flag) => given.get(flag)?.at(-1),
    values: (flag) => given.get(flag) ?? [],
    words,
  };
}
