import { describe, expect, it } from 'vitest';
import { defineCommand } from '../../src/cli/define-command.js';
import { confirmOption, environment, rolloutOptions } from '../../src/cli/options.js';
import { COMPOSE, createProject, TOKEN } from '../config/project-folder.js';
import { type CommandLineOptions, runCommandLine } from '../support/command-line.js';
import { scriptedRollout } from '../support/scripted-events.js';

const CHECKLIST = [
  'layers:',
  '  checklist:',
  '    - { name: db-snapshot, ask: "Snapshot taken?" }',
  '    - { name: announced, ask: "Announced?", on: deploy }',
];

function run(words: string[], lines = CHECKLIST, options: Partial<CommandLineOptions> = {}) {
  const config = ['app: shop', 'environments: { test: { load_balancer: web } }', 'image_tag: v1', ...lines, ''];
  const cwd = createProject({ ...COMPOSE, 'config/deploy.yml': config.join('\n') });
  return runCommandLine(words, { cwd, ...options, env: { HOME: cwd, DO_TOKEN: TOKEN, ...options.env } });
}

/** Instead of a rollout: asks for one confirmation while the live table is open, and says how it was answered. */
const ask = defineCommand({
  name: 'ask',
  topic: 'deploy',
  summary: 'Ask',
  examples: [
    ['ask test', 'ask'],
    ['ask test', 'ask'],
  ],
  positionals: { environment },
  options: { ...confirmOption, ...rolloutOptions },
  settings: 'fleet',
  rolls: true,
  run: async ({ args, settings, roll }) =>
    await roll(settings, args, async ({ reporter }, { confirm }) => {
      const [started, ended] = [scriptedRollout(1)[1], scriptedRollout(1).at(-1)];
      if (started?.type !== 'rollout-started' || ended?.type !== 'rollout-finished') throw new Error('another script');
      reporter.report(started);
      const never = new AbortController().signal;
      const answer = await confirm?.('db-snapshot', 'Snapshot taken?\u001b[2J', never);
      reporter.report({ ...started, type: 'notice', level: 'info', message: `answer: ${answer}` });
      reporter.report(ended);
      return ended.result;
    }),
});

describe('--confirm', () => {
  it('with a name that is nearly an item names the command to type instead, before anything is contacted', async () => {
    const { exit, stderr } = await run(['test', '--yes', '--confirm', 'announced', '--confirm', 'db-snapshto']);
    expect(exit).toBe(2);
    expect(stderr).toContain('No checklist has an item "db-snapshto".');
    expect(stderr).toContain('do-deploy test --yes --confirm announced --confirm db-snapshot\n');
  });

  it('with another name shows a command with one that it has', async () => {
    const { exit, stderr } = await run(['rollback', 'test', '--yes', '--confirm=backup']);
    expect(exit).toBe(2);
    expect(stderr).toContain('No checklist has an item "backup".');
    expect(stderr).toContain('try: do-deploy rollback test --yes --confirm=db-snapshot');
  });

  it('is checked before anything is asked', async () => {
    const { exit, stdout } = await run(['test', 'v1', '--confirm', 'backup'], CHECKLIST, {
      isTerminal: true,
      answer: 'y\n',
    });
    expect(exit).toBe(2);
    expect(stdout).not.toContain('[y/N]');
  });

  it('without a checklist is an error', async () => {
    const { exit, stderr } = await run(['adopt', 'test', '--confirm', 'backup'], []);
    expect(exit).toBe(2);
    expect(stderr).toContain('leave out --confirm');
  });

  it('needs a name', async () => {
    const { exit, stderr } = await run(['heal', 'test', '--confirm']);
    expect(exit).toBe(2);
    expect(stderr).toContain('--confirm needs a value.');
  });
});

describe('without a terminal', () => {
  const lines = [...CHECKLIST, '    - { name: flag, ask: "Is the flag on?", on: post_deploy }'];

  it('items of all events are required before anything is contacted', async () => {
    const { exit, stdout } = await run(['test', 'v1', '--yes', '--confirm', 'announced'], lines);
    expect(exit).toBe(2);
    expect(stdout).toContain('db-snapshot, flag are not confirmed, and no user can be asked.');
    expect(stdout).toContain('do-deploy test v1 --yes --confirm announced --confirm db-snapshot --confirm flag');
  });
});

describe('what a layer asks', () => {
  const commands = { ask: async () => ({ default: ask }) };
  const asked = (words: string[], options: Partial<CommandLineOptions> = {}) =>
    run(['test', ...words], CHECKLIST, { commands, isTerminal: true, answer: 'y\n', ...options });

  it('is asked at a terminal, without the live table in the way', async () => {
    const { stdout } = await asked([]);
    const [before = '', after = ''] = stdout.split('Snapshot taken? [y/N] ');
    expect(before).toContain('\u001b[?25l');
    const drawnSinceClosed = before.slice(before.lastIndexOf('\u001b[?25h'));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: readline clears the line for the question
    expect(drawnSinceClosed, 'the cursor is shown, below no table').toMatch(/^\x1b\[\?25h(\x1b\[\d*[GJ])*$/);
    expect(after).toContain('answer: true');
  });

  it('is not asked when the command line has confirmed it', async () => {
    const { stdout } = await asked(['--confirm', 'db-snapshot']);
    expect(stdout).not.toContain('[y/N]');
    expect(stdout).toContain('answer: true');
  });

  it.each<[string, string[], Partial<CommandLineOptions>]>([
    ['with --yes', ['--yes'], {}],
    ['with --json', ['--json'], {}],
    ['in CI', [], { env: { CI: 'true' } }],
    ['without a terminal', [], { isTerminal: false }],
  ])('is not asked %s', async (_, words, options) => {
    const { stdout } = await asked(words, options);
    expect(stdout).not.toContain('[y/N]');
    expect(stdout).toContain('answer: undefined');
  });
});
