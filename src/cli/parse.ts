/** From a command line to a command with typed arguments. */
import { type Arguments, InvalidValue } from './arguments.js';
import { type Command, type CommandList, loadCommands } from './define-command.js';
import { commonOptions } from './options.js';
import { membersOf, nameIn, optionName, optionsOf, type Tokens, tokenise, unknownOptions } from './tokens.js';
import {
  commandLine,
  missingOperand,
  missingValue,
  needlessValue,
  optionLabel,
  replaceValue,
  spacedNames,
  unexpectedOperand,
  unknownOption,
  unseparatedNames,
  usage,
  whichCommand,
} from './usage-errors.js';

export type Invocation =
  | { kind: 'version' }
  /** Of one command, of a group (`lock`), or of all. */
  | { kind: 'help'; command?: Command; group?: string }
  | { kind: 'run'; command: Command; isDefault: boolean; args: Record<string, unknown>; operands: readonly string[] };

/**
 * Words that name a command are that command; any others are for the first command of the list.
 * @param argv without node and the script
 * @throws DeployError `usage`, whose hint is the command to type instead
 */
export async function understand(argv: readonly string[], commands: CommandList): Promise<Invocation> {
  const names = Object.keys(commands);
  const { command, tokens } = await findCommand(argv, commands);
  const { words, options } = tokens;
  const isDefault = nameIn(words, names) === undefined;
  const [group = ''] = words;
  const isGroup = isDefault && words.length === 1 && membersOf(group, names).length > 0;
  if (options.has('version')) return { kind: 'version' };
  if (options.has('help')) {
    if (isGroup) return { kind: 'help', group };
    return { kind: 'help', command: words.length > 0 ? command : undefined };
  }

  checkOptions(argv, command, tokens);
  if (isGroup) throw whichCommand(group, names);
  const given = isDefault ? words : words.slice(command.name.split(' ').length);
  const [operands, rest] = command.rest === undefined ? [[...given, ...tokens.rest], []] : [given, tokens.rest];
  const positionals = Object.entries(command.positionals);
  const extra = operands[positionals.length];
  if (extra !== undefined) {
    throw (
      unseparatedNames(extra, argv, listOptions(command)) ??
      unexpectedOperand(extra, words, isDefault ? names : [], argv, { command, isDefault })
    );
  }
  const missing = positionals.find(([_, { isRequired }], index) => isRequired && operands[index] === undefined)?.[0];
  if (missing !== undefined) throw missingOperand(optionName(missing), { command, isDefault });
  if (command.rest?.isRequired && rest.length === 0) throw missingOperand(command.rest.value, { command, isDefault });

  const args: Record<string, unknown> = { ...readOptions(argv, command, tokens), rest };
  for (const [index, [key, argument]] of positionals.entries()) {
    const word = operands[index];
    args[key] = valueOr(
      () => argument.read(word === undefined ? [] : [word]),
      optionName(key).toUpperCase(),
      (example) => argv.map((one) => (one === word ? example : one)),
    );
  }
  return { kind: 'run', command, isDefault, args, operands };
}

/** The common options of a command line that may be wrong, for its error. */
export function commonArguments(argv: readonly string[]): Record<string, unknown> {
  return readOptions(argv, { options: {} }, tokenise(argv, commonOptions));
}

async function findCommand(
  argv: readonly string[],
  commands: CommandList,
): Promise<{ command: Command; tokens: Tokens }> {
  const names = Object.keys(commands);
  const load = async ({ words }: Tokens): Promise<Command> => {
    const command = (await commands[nameIn(words, names) ?? names[0] ?? '']?.())?.default;
    if (command === undefined) throw new Error('there are no commands');
    return command;
  };
  const first = await load(tokenise([], {}));
  const command = await load(tokenise(argv, optionsOf(first)));
  const tokens = tokenise(argv, optionsOf(command));
  if (unknownOptions(tokens, optionsOf(command)).length === 0) return { command, tokens };
  // An option of another command, written before its name, may have taken the name for its value.
  const again = tokenise(argv, optionsOf(...(await loadCommands(commands))));
  return { command: await load(again), tokens: again };
}

function checkOptions(argv: readonly string[], command: Command, tokens: Tokens): void {
  const known = optionsOf(command);
  const { hasValue, lacksValue } = tokens;
  const spaced = spacedNames(argv, listOptions(command));
  if (spaced !== undefined) throw spaced;
  if (hasValue !== undefined) throw needlessValue(hasValue, argv);
  if (lacksValue !== undefined) throw missingValue(lacksValue, argv, known);
  const [unknown] = unknownOptions(tokens, known);
  if (unknown !== undefined) throw unknownOption(unknown, Object.keys(known).map(optionName), argv, command);
}

/** Options that take names, as `--droplets`. */
function listOptions(command: Command): string[] {
  return Object.entries(optionsOf(command)).flatMap(([key, { value }]) =>
    value === 'NAMES' ? [`--${optionName(key)}`] : [],
  );
}

function readOptions(
  argv: readonly string[],
  command: Pick<Command, 'options'>,
  { options }: Tokens,
): Record<string, unknown> {
  const all: Arguments = { ...command.options, ...commonOptions };
  const pairs = Object.entries(all).map(([key, option]) => {
    const label = optionLabel(optionName(key));
    const given = options.get(optionName(key)) ?? [];
    return [
      key,
      valueOr(
        () => option.read(given),
        label,
        (example) => replaceValue(argv, label, example),
      ),
    ];
  });
  return Object.fromEntries(pairs);
}

function valueOr(read: () => unknown, label: string, instead: (example: string) => string[]): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw usage(`Invalid ${label}: ${error.message}.`, commandLine(instead(error.example)));
  }
}
