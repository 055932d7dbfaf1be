/** Wrong command lines: what is wrong, and the command to type instead. */
import { listWords, suggest } from '../config/suggest.js';
import { quote } from '../deploy/core/shell.js';
import { DeployError } from '../errors.js';
import type { Arguments } from './arguments.js';
import type { Command } from './define-command.js';
import { membersOf, optionName } from './tokens.js';

/** @param hint the command to type instead */
export function usage(message: string, hint: string): DeployError {
  return new DeployError('usage', message, { source: 'user', hint });
}

/** `do-deploy …`, to paste into a shell. */
export function commandLine(words: readonly string[]): string {
  return ['do-deploy', ...words.map(quote)].join(' ');
}

/** `do-deploy status [ENVIRONMENT]`. The default command is run without its name. */
export function usageLine(
  { name, positionals, rest }: Pick<Command, 'name' | 'positionals' | 'rest'>,
  { isDefault }: { isDefault: boolean },
): string {
  const words = Object.entries(positionals).map(([key, { isRequired }]) => {
    const label = optionName(key).toUpperCase();
    return isRequired ? label : `[${label}]`;
  });
  const after = rest && (rest.isRequired ? `-- ${rest.value}` : `[-- ${rest.value}]`);
  return ['do-deploy', ...(isDefault ? [] : [name]), ...words, ...(after ? [after] : [])].join(' ');
}

const UNSAFE =
  'no option passes over the checks. When everything is already down, see docs/rollout.md, "When everything is already down": --allow-downtime';

/** `-v` or `--verbose`. */
export function optionLabel(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

export function unknownOption(
  name: string,
  known: readonly string[],
  argv: readonly string[],
  command: Pick<Command, 'name'>,
): DeployError {
  const label = optionLabel(name);
  // Who types it wants to deploy in spite of everything.
  if (name.startsWith('force-')) return usage(`Unknown option ${label}.`, UNSAFE);
  const similar = suggest(name, known);
  const meant = name.length === 1 ? known.filter((one) => one.startsWith(name)) : [similar ?? []].flat();
  const instead = meant.map((option) => {
    const words = argv.map((word) =>
      word === label || word.startsWith(`${label}=`) ? optionLabel(option) + word.slice(label.length) : word,
    );
    return commandLine(words);
  });
  return usage(`Unknown option ${label}.`, listWords(instead, 'or') || `do-deploy ${command.name} --help`);
}

export function needlessValue(name: string, argv: readonly string[]): DeployError {
  const label = optionLabel(name);
  const instead = argv.map((word) => (word.startsWith(`${label}=`) ? label : word));
  return usage(`${label} takes no value.`, commandLine(instead));
}

export function missingValue(name: string, argv: readonly string[], known: Arguments): DeployError {
  const label = optionLabel(name);
  const value = Object.entries(known).find(([key]) => optionName(key) === name)?.[1].value ?? 'VALUE';
  return usage(`${label} needs a value.`, commandLine(replaceValue(argv, label, value)));
}

/** `argv` with a value for an option, in place of the one it has. */
export function replaceValue(argv: readonly string[], label: string, value: string): string[] {
  return argv.flatMap((word, index) => {
    if (word === label || word.startsWith(`${label}=`)) return [label, value];
    return argv[index - 1] === label && !word.startsWith('-') ? [] : [word];
  });
}

type Found = { command: Command; isDefault: boolean };

export function missingOperand(name: string, { command, isDefault }: Found): DeployError {
  const [[example]] = command.examples;
  const more = isDefault ? '; do-deploy --help lists the commands' : '';
  const hint = `${usageLine(command, { isDefault })}, for example do-deploy ${example}${more}`;
  return usage(`Missing argument ${name.toUpperCase()}.`, hint);
}

/**
 * A word too many. It may follow what was meant for a command of a group: `lock brake production`.
 * @param names of the commands, if the words name none
 */
export function unexpectedOperand(
  extra: string,
  words: readonly string[],
  names: readonly string[],
  argv: readonly string[],
  { command, isDefault }: Found,
): DeployError {
  const [group = '', word = ''] = words;
  const number = numberFor(extra, argv);
  if (number !== undefined) throw usage(`--canary takes a number of droplets, not ${extra}.`, number);
  const members = membersOf(group, names);
  if (members.length === 0) {
    // What is held is what they are about.
    if (command.name === 'promote' || command.name === 'abort') {
      const held = `${command.name} takes the release that is held, so it needs no RELEASE.`;
      throw usage(held, commandLine(argv.filter((word) => word !== extra)));
    }
    const given = isDefault ? words : words.slice(command.name.split(' ').length);
    const understood = Object.keys(command.positionals).flatMap((key, index) => {
      return given[index] === undefined ? [] : `${given[index]} is ${optionName(key).toUpperCase()}`;
    });
    const already = understood.length === 0 ? '' : `: ${listWords(understood, 'and')}`;
    return usage(`Unexpected argument "${extra}"${already}.`, usageLine(command, { isDefault }));
  }
  const meant = suggest(`${group} ${word}`, members);
  const hint = meant === undefined ? linesOf(members) : commandLine([...meant.split(' '), ...words.slice(2)]);
  return usage(`Unknown command "${group} ${word}".`, hint);
}

/** What follows `--canary` belongs to it only if it is a number of droplets. */
function numberFor(extra: string, argv: readonly string[]): string | undefined {
  const index = argv.indexOf(extra);
  if (argv[index - 1] !== '--canary') return undefined;
  const instead = argv.map((word, at) => (at === index ? '1' : word));
  return commandLine(instead);
}

/** Names after a comma and a space, as in `--droplets web-1, web-2`: undefined if there are none. */
export function spacedNames(argv: readonly string[], options: readonly string[]): DeployError | undefined {
  const at = argv.findIndex((word, index) => {
    const next = argv[index + 1];
    const isList = options.some((name) => argv[index - 1] === name || word.startsWith(`${name}=`));
    return isList && word.endsWith(',') && next !== undefined && !next.startsWith('-');
  });
  if (at < 0) return undefined;
  let end = at;
  let joined = argv[at] ?? '';
  while (joined.endsWith(',') && argv[end + 1]?.startsWith('-') === false) joined += argv[++end] ?? '';
  return usage(
    'Names are separated by commas, without spaces.',
    commandLine([...argv.slice(0, at), joined, ...argv.slice(end + 1)]),
  );
}

/** A word too many after the first name of a list, as in `--droplets web-1 web-2`: undefined if it is another one. */
export function unseparatedNames(
  extra: string,
  argv: readonly string[],
  options: readonly string[],
): DeployError | undefined {
  const at = argv.findIndex((word) => options.some((name) => word === name || word.startsWith(`${name}=`)));
  const first = at + (argv[at]?.includes('=') ? 0 : 1);
  const following = argv.slice(first + 1).findIndex((word) => word.startsWith('-'));
  const end = following < 0 ? argv.length : first + 1 + following;
  // The environment comes first: words after the list are names.
  const isName =
    at > 0 && argv.slice(0, at).some((word) => !word.startsWith('-')) && argv.slice(first, end).includes(extra);
  if (!isName) return undefined;
  const joined = argv.slice(first, end).join(',');
  return usage('Names are separated by commas.', commandLine([...argv.slice(0, first), joined, ...argv.slice(end)]));
}

/** A group's word alone. */
export function whichCommand(group: string, names: readonly string[]): DeployError {
  return usage(`Missing command after "${group}".`, linesOf(membersOf(group, names)));
}

function linesOf(names: readonly string[]): string {
  return listWords(
    names.map((name) => `do-deploy ${name}`),
    'or',
  );
}

/**
 * What may have been meant by an environment that does not exist.
 * @param given `operands` are the environment and what follows it; `commands` the names that it may have been meant for
 */
export function explainUnknownEnvironment(
  { code, message, source, cause }: DeployError,
  given: Record<'argv' | 'operands' | 'commands' | 'environments', readonly string[]>,
): DeployError {
  const { argv, operands, commands, environments } = given;
  const [name = '', release = ''] = operands;
  const known = `environments: ${listWords(environments)}`;
  const instead = (word: string) => commandLine(argv.map((one) => (one === name ? word : one)));
  const similar = suggest(name, environments);
  const words = [...commands.map((command) => command.split(' ')[0] ?? ''), ...(commands.length > 0 ? ['help'] : [])];
  const meant = similar === undefined ? suggest(name, words) : undefined;
  const members = membersOf(name, commands);
  const hint = () => {
    if (members.length > 0) return linesOf(members);
    if (meant === 'help') return 'do-deploy --help';
    if (meant !== undefined) return `did you mean the command ${meant}? ${instead(meant)}`;
    if (environments.includes(release)) {
      const swapped = argv.map((word) => (word === name ? release : word === release ? name : word));
      return `ENVIRONMENT comes first: ${commandLine(swapped)}`;
    }
    const [only, ...others] = environments;
    if (similar === undefined && release === '' && commands.length > 0 && only !== undefined && others.length === 0) {
      return `ENVIRONMENT comes first: ${commandLine(argv.flatMap((word) => (word === name ? [only, name] : word)))}`;
    }
    if (similar !== undefined) return `did you mean ${similar}? ${instead(similar)}; ${known}`;
    return `${known}; do-deploy --help lists the commands`;
  };
  return new DeployError(code, message, { source, hint: hint(), cause });
}
