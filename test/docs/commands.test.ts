/** What is written about commands is what they declare. */
import { describe, expect, it } from 'vitest';
import { loadCommands } from '../../src/cli/define-command.js';
import { COMMANDS } from '../../src/commands/index.js';
import { commandsPage, exitCodes, topicsTable } from './commands-page.js';
import { readRoot } from './markdown.js';

const commands = await loadCommands(COMMANDS);
const pathOf = (page: string) => new URL(`../../${page}`, import.meta.url).pathname;

describe('the documentation (vitest -u writes it)', () => {
  it('docs/commands.md has every command with its options, exit codes and examples', async () => {
    await expect(commandsPage(commands)).toMatchFileSnapshot(pathOf('docs/commands.md'));
  });

  it('the README has a table of all commands', async () => {
    const block = `${topicsTable(commands)}\n\nExit codes: ${exitCodes(commands)}.\n`;
    const current = readRoot('README.md').replace(
      /(<!-- commands: begin -->\n)[\s\S]*(<!-- commands: end -->)/,
      (_, begin, end) => `${begin}${block}${end}`,
    );
    expect(current).toContain(block);
    await expect(current).toMatchFileSnapshot(pathOf('README.md'));
  });
});

it.each(commands.map((command) => [command.name, command] as const))(
  '%s has a summary of one line, and at least two examples that say what they do',
  (_, { summary, description, examples }) => {
    expect(summary).toMatch(/^[A-Z][^\n]{10,70}[^.]$/);
    expect(description ?? 'None.').toMatch(/\.$/);
    expect(new Set(examples.map(([line]) => line)).size).toBeGreaterThanOrEqual(2);
    for (const [line, does] of examples) expect([line, does.length > 5]).toEqual([line, true]);
  },
);
