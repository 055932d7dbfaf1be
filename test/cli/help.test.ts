import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadCommands } from '../../src/cli/define-command.js';
import { COMMANDS } from '../../src/commands/index.js';
import { runCommandLine } from '../support/command-line.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const help = async (...words: string[]) => (await runCommandLine([...words, '--help'], { cwd: '/' })).stdout;

describe('--help', () => {
  it('of everything names every command, the options of a deploy, the common ones and every exit code', async () => {
    const text = await help();
    for (const name of Object.keys(COMMANDS).slice(1)) expect(text).toContain(`\n  ${name}`);
    const options = ['config', 'json', 'verbose', 'no-color', 'yes', 'allow-downtime', 'wait-lock', 'force', 'version'];
    for (const option of options) expect(text).toMatch(new RegExp(`^  (-., )?--${option}\\b`, 'm'));
    const codes = [...text.matchAll(/^ {2}(\d+) {2,}\S/gm)].map(([, code]) => Number(code));
    expect(codes).toEqual([0, 1, 2, 3, 4, 5, 130, 255]);
  });

  it('of a command has its own options only', async () => {
    expect(await help('status')).not.toContain('--force');
    expect(await help('sandbox', 'up')).toContain('--droplets');
    expect(await help('status')).toContain('--check');
    expect(await help('heal')).toContain('--wait-lock');
    expect(await help('production')).toContain('--allow-downtime');
    expect(await help('deploy')).toBe(await help('production'));
  });

  it('of a group lists its commands', async () => {
    expect(await help('lock')).toMatch(/lock status ENVIRONMENT .*\n.*lock break ENVIRONMENT /);
    expect(await help('lock')).not.toContain('sandbox');
  });

  it('fits a terminal of 120 columns', async () => {
    const texts = [await help(), ...(await Promise.all(Object.keys(COMMANDS).map((name) => help(...name.split(' ')))))];
    for (const line of texts.flatMap((text) => text.split('\n'))) expect(line.length, line).toBeLessThanOrEqual(120);
  });

  it.each([['--help'], ['-h']])('%s of the built command is the same', async (flag) => {
    const printed = execFileSync(process.execPath, ['dist/main.js', flag], { encoding: 'utf8' });
    expect(printed).toBe(await help());
  });
});

it('--version prints the version of the package', () => {
  expect(execFileSync(process.execPath, ['dist/main.js', '--version'], { encoding: 'utf8' }).trim()).toBe(version);
});

describe('the declarations', async () => {
  const commands = await loadCommands(COMMANDS);

  it('have the names that the list gives them', () => {
    expect(commands.map(({ name }) => name)).toEqual(Object.keys(COMMANDS));
  });

  it('give an option the same kind everywhere, so that a command line can be read before its command is known', () => {
    const kinds = new Map<string, string>();
    for (const { name, options } of commands) {
      for (const [key, { value, alias }] of Object.entries(options)) {
        const kind = `${value === undefined ? 'switch' : 'value'} ${alias}`;
        expect(kinds.get(key) ?? kind, `--${key} of ${name}`).toBe(kind);
        kinds.set(key, kind);
      }
    }
  });

  it('name the environment where the runner has to load its settings', () => {
    for (const { name, settings, positionals } of commands) {
      if (settings !== 'none') expect(positionals.environment?.isRequired, name).toBe(true);
    }
  });

  it('give no two arguments of a command the same name', () => {
    const reserved = ['config', 'set', 'quiet', 'json', 'verbose', 'debug', 'noColor', 'help', 'version', 'rest'];
    for (const { positionals, options } of commands) {
      const names = [...reserved, ...Object.keys(positionals), ...Object.keys(options)];
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it('show examples that can be parsed', async () => {
    const { understand } = await import('../../src/cli/parse.js');
    for (const { name, examples } of commands) {
      for (const [line] of examples) {
        const words = line.split(' ').filter((word) => !word.startsWith('>'));
        await expect(understand(words, COMMANDS), line).resolves.toMatchObject({ kind: 'run', command: { name } });
      }
    }
  });
});
