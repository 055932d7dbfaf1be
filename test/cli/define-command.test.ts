/** A new command is one file and one line in a list: everything else is derived. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import { choice, duration, flag, integer, list, required, text } from '../../src/cli/arguments.js';
import { complete } from '../../src/cli/completion.js';
import { type CommandList, defineCommand, loadCommands } from '../../src/cli/define-command.js';
import { confirmOption, environment } from '../../src/cli/options.js';
import { COMMANDS } from '../../src/commands/index.js';
import { commandsPage, topicsTable } from '../docs/commands-page.js';
import { runCommandLine } from '../support/command-line.js';

/** What one file would hold. */
const run = defineCommand({
  name: 'run',
  topic: 'operate',
  summary: 'Run a command in a service of the current release',
  description: 'It runs in a container of its own, which is removed afterwards.',
  examples: [
    ['run production app -- rake db:migrate', 'run a migration'],
    ['run production app --env A=1 --env B=2 -- env', 'with two more variables'],
  ],
  positionals: { environment, service: required(text({ describe: 'A service of the compose project' })) },
  options: {
    ...confirmOption,
    env: list({ value: 'NAME=VALUE', describe: 'Set a variable; may be repeated' }),
    on: choice({ describe: 'Which droplets', choices: ['first', 'all'] }),
    atOnce: integer({ describe: 'Droplets at the same time', min: 1, max: 20, default: 5 }),
    timeLimit: duration({ describe: 'Stop it after this long', example: '5m' }),
    interactive: flag({ alias: 'i', describe: 'Keep standard input open' }),
  },
  rest: { value: 'CMD', describe: 'The command and its arguments', isRequired: true },
  settings: 'none',
  exits: { 7: 'the command failed' },
  async run({ args, settings }) {
    expectTypeOf(settings).toEqualTypeOf<undefined>();
    expectTypeOf(args.environment).toEqualTypeOf<string>();
    expectTypeOf(args.service).toEqualTypeOf<string>();
    expectTypeOf(args.env).toEqualTypeOf<readonly string[]>();
    expectTypeOf(args.on).toEqualTypeOf<'first' | 'all' | undefined>();
    expectTypeOf(args.atOnce).toEqualTypeOf<number>();
    expectTypeOf(args.timeLimit).toEqualTypeOf<number>();
    expectTypeOf(args.interactive).toEqualTypeOf<boolean>();
    expectTypeOf(args.config).toEqualTypeOf<string | undefined>();
    expectTypeOf(args.rest).toEqualTypeOf<readonly string[]>();
    return { exit: 7, output: { type: 'text', lines: [JSON.stringify(args)] } };
  },
});

/** The line in the list. */
const commands: CommandList = { ...COMMANDS, run: async () => ({ default: run }) };

const runLine = (line: string) => runCommandLine(line.split(' '), { cwd: '/', commands });

describe('a new command', () => {
  it('runs, with typed arguments and its own exit code', async () => {
    const { exit, stdout } = await runLine(
      'run production app --env A=1 --env=B=2 -i --on all --at-once 2 --time-limit 90s -- env --json -x',
    );
    expect(exit).toBe(7);
    expect(JSON.parse(stdout)).toEqual({
      environment: 'production',
      service: 'app',
      env: ['A=1', 'B=2'],
      on: 'all',
      atOnce: 2,
      timeLimit: 90_000,
      interactive: true,
      yes: false,
      json: false,
      verbose: false,
      debug: false,
      noColor: false,
      quiet: false,
      set: [],
      rest: ['env', '--json', '-x'],
    });
  });

  it.each([
    ['run production -- env', 'Missing argument SERVICE.'],
    ['run production app', 'Missing argument CMD.'],
    ['run production app more -- env', 'Unexpected argument "more": production is ENVIRONMENT and app is SERVICE.'],
    ['run production app --on some -- env', 'Invalid --on: expected one of first, all.'],
    ['run production app --at-once 21 -- env', 'Invalid --at-once: expected a number from 1 to 20.'],
    ['run production app --intractive -- env', 'Unknown option --intractive.'],
  ])('%s is refused', async (line, message) => {
    const { exit, stderr } = await runLine(line);
    expect(exit).toBe(2);
    expect(stderr).toContain(`error: ${message}\n`);
  });

  it('is in the help, and has one', async () => {
    const overview = (await runLine('--help')).stdout;
    expect(overview).toMatch(
      /^ {2}run ENVIRONMENT SERVICE -- CMD +Run a command in a service of the current release$/m,
    );
    expect(overview).toMatch(/^ {2}7 +the command failed$/m);
    const help = (await runLine('run --help')).stdout;
    expect(help).toMatch(/^Usage: do-deploy run ENVIRONMENT SERVICE -- CMD \[OPTIONS\]$/m);
    expect(help).toMatch(/^ {2}-i, --interactive +Keep standard input open$/m);
    expect(help).toMatch(/^ {2}--on first\|all +Which droplets$/m);
    expect(help).toMatch(/^ {2}CMD +The command and its arguments$/m);
    expect(help).toMatch(/^ {2}do-deploy run production app -- rake db:migrate +run a migration$/m);
  });

  it('is completed in the shell', async () => {
    const all = await loadCommands(commands);
    expect(complete(all, ['ru'], [])).toEqual(['run']);
    expect(complete(all, ['run', 'pro'], ['production'])).toEqual(['production']);
    expect(complete(all, ['run', 'production', 'app', '--at'], [])).toEqual(['--at-once']);
    expect(complete(all, ['run', 'production', 'app', '--on', ''], [])).toEqual(['first', 'all']);
    expect(complete(all, ['run', 'production', 'app', '--', 'r'], [])).toEqual([]);
  });

  it('is suggested', async () => {
    const { stderr } = await runCommandLine(['rnu'], { cwd: '/', env: { DO_TOKEN: 'x' }, commands });
    expect(stderr).toContain('did you mean the command run? do-deploy run');
  });

  it('is in the documentation', async () => {
    const all = await loadCommands(commands);
    expect(topicsTable(all)).toContain('[`run`](docs/commands.md#run)');
    expect(commandsPage(all)).toContain('| Run a command in a service of the current release |');
    expect(commandsPage(all)).toContain('\n## run\n');
    expect(commandsPage(all)).toContain('| `--on first\\|all` | Which droplets |');
  });
});
