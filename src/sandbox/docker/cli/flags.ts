import { NotImplemented } from '../failure.js';

export interface FlagSpec {
  /** Flags without a value. Spellings of the same flag are separated by `|`: `-q|--quiet`. */
  switches?: readonly string[];
  /** Flags with a value. */
  options?: readonly string[];
}

/** The given flags, each by the last of its spellings. */
export interface Flags {
  has(flag: string): boolean;
  value(flag: string): string | undefined;
  values(flag: string): string[];
  words: string[];
}

/**
 * Reads a command's arguments: `--x=y`, `-x y` and joined short switches (`-aq`). With `untilWord`, reading stops at the
 * first word; the rest is `words`. Throws NotImplemented for a flag that the specification lacks.
 */
export function readFlags(command: string, args: readonly string[], spec: FlagSpec, untilWord = false): Flags {
  const given = new Map<string, string[]>();
  const words: string[] = [];
  const nameOf = (flag: string, among: readonly string[] = []) =>
    among
      .map((spellings) => spellings.split('|'))
      .find((spellings) => spellings.includes(flag))
      ?.at(-1);

  const left = [...args];
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (!arg.startsWith('-')) {
      words.push(arg);
      if (untilWord) words.push(...left.splice(0));
      continue;
    }
    const [, flag = arg, inline] = /^(--[^=]+)=(.*)$/s.exec(arg) ?? [];
    const option = nameOf(flag, spec.options);
    if (option !== undefined) {
      const value = inline ?? left.shift();
      if (value === undefined) throw new NotImplemented(`${command}: ${flag} without a value`);
      given.set(option, [...(given.get(option) ?? []), value]);
      continue;
    }
    const letters = /^-\w{2,}$/.test(arg) ? [...arg.slice(1)].map((letter) => `-${letter}`) : [arg];
    for (const letter of letters) {
      const name = nameOf(letter, spec.switches);
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
