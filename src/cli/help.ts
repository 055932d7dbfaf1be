/** The texts of --help. */
import type { Arguments } from './arguments.js';
import { type Command, type CommandList, loadCommands, TOPICS } from './define-command.js';
import { COMMON_EXITS } from './exit-codes.js';
import { commonOptions, informationOptions } from './options.js';
import type { Invocation } from './parse.js';
import { optionName } from './tokens.js';
import { usageLine } from './usage-errors.js';

type Row = readonly [left: string, right: string];

const OPTIONS_OF_ALL = { ...commonOptions, ...informationOptions };

/** Everything that is written about an argument: for help and for the documentation. */
export function argumentRows(declared: Arguments, kind: 'positionals' | 'options'): Row[] {
  return Object.entries(declared).map(([key, { describe, value, alias, isOptional }]) => {
    const name = optionName(key);
    if (kind === 'positionals') return [name.toUpperCase(), describe];
    const label = `${alias === undefined ? '' : `-${alias}, `}--${name}`;
    if (value === undefined) return [label, describe];
    return [isOptional ? `${label} [${value}]` : `${label} ${value}`, describe];
  });
}

export function exitRows({ exits }: Pick<Command, 'exits'>): Row[] {
  return Object.entries({ ...COMMON_EXITS, ...exits });
}

export async function helpText(
  { command, group }: Extract<Invocation, { kind: 'help' }>,
  commands: CommandList,
): Promise<string> {
  if (command !== undefined) return commandHelp(command, command.name === Object.keys(commands)[0]);
  return overview(await loadCommands(commands), group);
}

/** @param isDefault the command can be run without its name */
export function commandHelp(command: Command, isDefault: boolean): string {
  const { name, summary, description, positionals, rest, options, examples } = command;
  const usages = (isDefault ? [true, false] : [false]).map((short) => usageLine(command, { isDefault: short }));
  return page(
    [`Usage: ${usages.map((usage) => `${usage} [OPTIONS]`).join(`\n${' '.repeat('Usage: '.length)}`)}`],
    [`${summary}.`, ...(description === undefined ? [] : [description])],
    section('Arguments', [
      ...argumentRows(positionals, 'positionals'),
      ...(rest === undefined ? [] : [[rest.value, rest.describe] as const]),
    ]),
    section('Options', argumentRows(options, 'options')),
    section('Common options', argumentRows(OPTIONS_OF_ALL, 'options')),
    section(
      'Examples',
      examples.map(([line, does]) => [`do-deploy ${line}`, does]),
    ),
    section('Exit codes', exitRows({ exits: command.exits })),
    isDefault ? [`do-deploy --help lists the other commands, do-deploy ${name} --help shows this.`] : [],
  );
}

/** All commands, or those of a group; the first of all is the default one. */
export function overview(commands: readonly Command[], group?: string): string {
  const [main] = commands;
  const shown = commands.filter(({ name }) => group === undefined || name.startsWith(`${group} `));
  const rowOf = (command: Command): Row => {
    const line = usageLine(command, { isDefault: command === main });
    return [line.slice('do-deploy '.length), command.summary];
  };
  const footer = 'do-deploy COMMAND --help shows the arguments, examples and exit codes of a command.';
  if (group !== undefined || main === undefined) {
    return page(section(`Commands of do-deploy ${group}`, shown.map(rowOf)), [footer]);
  }
  return page(
    [`Usage: ${usageLine(main, { isDefault: true })} [OPTIONS]`, '       do-deploy COMMAND [OPTIONS]'],
    ['Rolling deploys for DigitalOcean droplets behind a load balancer, with no failed request.'],
    ...sections(byTopic(commands).map(([title, of]) => [title, of.map(rowOf)])),
    section('Options of a deploy', argumentRows(main.options, 'options')),
    section('Options of every command', argumentRows(OPTIONS_OF_ALL, 'options')),
    section('Exit codes', exitRows({ exits: Object.assign({}, ...commands.map(({ exits }) => exits)) })),
    ['Configuration: config/deploy.yml. Variables: the environment, then config/.env.', footer],
  );
}

/** The commands of each topic, under its title. */
export function byTopic(commands: readonly Command[]): [title: string, commands: Command[]][] {
  return Object.entries(TOPICS).map(([topic, title]) => [title, commands.filter((command) => command.topic === topic)]);
}

function page(...blocks: readonly (readonly string[])[]): string {
  return blocks.flatMap((lines) => (lines.length === 0 ? [] : [lines.join('\n')])).join('\n\n');
}

/** Sections whose right columns are below each other. */
function sections(parts: readonly (readonly [title: string, rows: readonly Row[]])[]): string[][] {
  const width = widthOf(parts.flatMap(([, rows]) => rows));
  return parts.map(([title, rows]) => section(title, rows, width));
}

function widthOf(rows: readonly Row[]): number {
  return Math.max(...rows.map(([left]) => left.length));
}

function section(title: string, rows: readonly Row[], width = widthOf(rows)): string[] {
  return rows.length === 0 ? [] : [`${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)];
}
