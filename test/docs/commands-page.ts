/** docs/commands.md and the README's table of commands, from the declarations of the commands. */
import type { Command } from '../../src/cli/define-command.js';
import { argumentRows, byTopic, exitRows } from '../../src/cli/help.js';
import { commonOptions, informationOptions } from '../../src/cli/options.js';
import { usageLine } from '../../src/cli/usage-errors.js';

export function commandsPage(commands: readonly Command[]): string {
  const [main] = commands;
  const sections = commands.map((command) => commandSection(command, command === main));
  return `${[
    '# Commands',
    'This page is made from the declarations in `src/commands/`, as is `do-deploy COMMAND --help`.',
    ...byTopic(commands).flatMap(([title, of]) => [`**${title}**`, commandsTable(of, main)]),
    '## Options of every command',
    table(['option', 'meaning'], argumentRows({ ...commonOptions, ...informationOptions }, 'options')),
    ...sections,
  ].join('\n\n')}\n`;
}

/** For the README: the names only, each a link to its section. */
export function topicsTable(commands: readonly Command[]): string {
  const [main] = commands;
  const rows = byTopic(commands).map(([title, of]) => {
    const links = of.map((command) => {
      const isDefault = command === main;
      const name = isDefault ? usageLine(command, { isDefault }).slice('do-deploy '.length) : command.name;
      return `[\`${name}\`](docs/commands.md#${anchorOf(titleOf(command, isDefault))})`;
    });
    return `| ${title} | ${links.join(', ')} |`;
  });
  return ['| to | `do-deploy …` |', '|---|---|', ...rows].join('\n');
}

function titleOf({ name }: Command, isDefault: boolean): string {
  return isDefault ? 'ENVIRONMENT, or deploy' : name;
}

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}

function commandsTable(commands: readonly Command[], main: Command | undefined): string {
  const rows = commands.map((command): [string, string] => [
    usageLine(command, { isDefault: command === main }),
    command.summary,
  ]);
  return table(['command', 'does'], rows);
}

/** `0 done, or nothing to do; 1 failed; …` of all commands. */
export function exitCodes(commands: readonly Command[]): string {
  const exits = Object.assign({}, ...commands.map(({ exits }) => exits));
  return exitRows({ exits })
    .map(([code, meaning]) => `${code} ${meaning}`)
    .join('; ');
}

function commandSection(command: Command, isDefault: boolean): string {
  const { summary, description, positionals, rest, options, examples } = command;
  const usages = isDefault ? [usageLine(command, { isDefault }), usageLine(command, { isDefault: false })] : [];
  const operands = [
    ...argumentRows(positionals, 'positionals'),
    ...(rest === undefined ? [] : ([[rest.value, rest.describe]] as const)),
  ];
  const width = Math.max(...examples.map(([line]) => line.length));
  return [
    `## ${titleOf(command, isDefault)}`,
    `${summary}.${description === undefined ? '' : ` ${description.replaceAll('\n', ' ')}`}`,
    block(usages.length > 0 ? usages : [usageLine(command, { isDefault: false })]),
    ...(operands.length === 0 ? [] : [table(['argument', 'meaning'], operands)]),
    ...(Object.keys(options).length === 0 ? [] : [table(['option', 'meaning'], argumentRows(options, 'options'))]),
    block(examples.map(([line, does]) => `do-deploy ${line.padEnd(width)}  # ${does}`)),
    `Exit codes: ${exitRows(command)
      .map(([code, meaning]) => `${code} ${meaning}`)
      .join('; ')}.`,
  ].join('\n\n');
}

function table(headings: [string, string], rows: readonly (readonly [string, string])[]): string {
  return [
    `| ${headings.join(' | ')} |`,
    '|---|---|',
    ...rows.map(([left, right]) => `| \`${left.replaceAll('|', '\\|')}\` | ${right.replaceAll('|', '\\|')} |`),
  ].join('\n');
}

function block(lines: readonly string[]): string {
  return ['```sh', ...lines, '```'].join('\n');
}
