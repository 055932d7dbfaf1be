/** The words and options of a command line, as yargs' parser tells them apart. */
import { Parser } from 'yargs/helpers';
import type { Arguments } from './arguments.js';
import type { Command } from './define-command.js';
import { LEFT_OUT } from './left-out.js';
import { commonOptions, informationOptions } from './options.js';

export interface Tokens {
  words: readonly string[];
  /** After `--`. */
  rest: readonly string[];
  /** By name, in order; a switch has one empty value. */
  options: ReadonlyMap<string, readonly string[]>;
  /** An option without its value, at the end or before another option. */
  lacksValue?: string;
  /** A switch that was given a value. */
  hasValue?: string;
}

/** `noColor` is `--no-color`. */
export function optionName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The options of these commands, and those of every command. */
export function optionsOf(...commands: readonly Pick<Command, 'options'>[]): Arguments {
  return Object.assign({}, ...commands.map(({ options }) => options), commonOptions, informationOptions);
}

/** @param known options; any other one takes the word that follows for its value */
export function tokenise(argv: readonly string[], known: Arguments): Tokens {
  const all = Object.entries(known).map(([key, argument]) => ({ ...argument, name: optionName(key) }));
  const optional = all.filter(({ isOptional }) => isOptional).map(({ name }) => `--${name}`);
  const { argv: found, error } = Parser.detailed(withValues(argv, optional), {
    boolean: all.filter(({ value }) => value === undefined).map(({ name }) => name),
    string: all.filter(({ value }) => value !== undefined).map(({ name }) => name),
    // How many words follow: a switch given as --force=yes is an error.
    narg: Object.fromEntries(
      all.filter(({ isOptional }) => !isOptional).map(({ name, value }) => [name, value === undefined ? 0 : 1]),
    ),
    alias: Object.fromEntries(all.flatMap(({ name, alias }) => (alias === undefined ? [] : [[name, alias]]))),
    configuration: {
      // A release 1.10 is text, and --no-color an option of its own.
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'boolean-negation': false,
      'dot-notation': false,
      'camel-case-expansion': false,
      'strip-aliased': true,
      'populate--': true,
    },
  });
  const { _: words, '--': rest = [], ...options } = found;
  const valuesOf = (value: unknown) => [value].flat().map((one) => (typeof one === 'string' ? one : ''));
  return {
    words: words.map(String),
    rest: rest.map(String),
    options: new Map(Object.entries(options).map(([name, value]) => [name, valuesOf(value)])),
    lacksValue: /^Not enough arguments following: (.*)$/.exec(error?.message ?? '')?.[1],
    hasValue: /^Argument unexpected for: (.*)$/.exec(error?.message ?? '')?.[1],
  };
}

/** Options whose value is optional get it as `--name=VALUE`: the number that follows, or LEFT_OUT. */
function withValues(argv: readonly string[], optional: readonly string[]): string[] {
  const words = [...argv];
  const end = words.indexOf('--');
  for (let index = (end < 0 ? words.length : end) - 1; index >= 0; index -= 1) {
    const word = words[index] ?? '';
    if (!optional.includes(word)) continue;
    const isNumber = /^\d+$/.test(words[index + 1] ?? '');
    words.splice(index, isNumber ? 2 : 1, `${word}=${isNumber ? words[index + 1] : LEFT_OUT}`);
  }
  return words;
}

export function unknownOptions({ options }: Tokens, known: Arguments): string[] {
  const names = Object.keys(known).map(optionName);
  return [...options.keys()].filter((name) => !names.includes(name));
}

/** The name of the command that the words begin with. A group's word alone, or before another word, is no command. */
export function nameIn([first = '', second]: readonly string[], names: readonly string[]): string | undefined {
  return [`${first} ${second}`, first].find((name) => names.includes(name));
}

/** The commands of a group: `lock status` and `lock break` of `lock`. */
export function membersOf(group: string, names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(`${group} `));
}
