import { describe, expect, it } from 'vitest';
import { type Invocation, parseArguments } from '../../src/cli/commands.js';
import { COMMAND_NAMES } from '../../src/config/names.js';
import { DeployError } from '../../src/errors.js';

const parse = (line: string) => parseArguments(line.split(' ').filter(Boolean), '1.2.3');

const COMMON = { json: false, verbose: false, noColor: false };
const ROLLOUT = { ...COMMON, allowDowntime: false, waitLockMs: 0 };
const DEPLOY = {
  command: 'deploy',
  environment: 'production',
  ...ROLLOUT,
  yes: false,
  force: false,
  createTag: false,
  allowEmpty: false,
  workingTree: false,
};
const TAG = { command: 'tag', name: 'v1', ...COMMON, yes: false, all: false, allowEmpty: false };
const HEAL = { command: 'heal', environment: 'production', ...ROLLOUT };
const STATUS = { command: 'status', ...COMMON, check: false };
const LOCK = { command: 'lock', action: 'status', environment: 'production', ...COMMON, yes: false };
const SANDBOX = { command: 'sandbox', action: 'up', droplets: 3, ...COMMON };

describe('the command line', () => {
  it.each<[string, object]>([
    ['production', DEPLOY],
    ['deploy production', DEPLOY],
    ['production v1.4.2', { ...DEPLOY, release: 'v1.4.2' }],
    ['deploy production v1.4.2', { ...DEPLOY, release: 'v1.4.2' }],
    // What looks like a number is a tag all the same.
    ['production 1.10', { ...DEPLOY, release: '1.10' }],
    ['production 007', { ...DEPLOY, release: '007' }],
    ['deploy sandbox v2', { ...DEPLOY, environment: 'sandbox', release: 'v2' }],
    // Only up and demo are commands of the sandbox: everything else is a release for the environment of that name.
    ['sandbox v2', { ...DEPLOY, environment: 'sandbox', release: 'v2' }],
    [
      '--config a.yml sandbox --wait-lock 10m v2',
      { ...DEPLOY, environment: 'sandbox', release: 'v2', config: 'a.yml', waitLockMs: 600_000 },
    ],
    ['up sandbox', { ...DEPLOY, environment: 'up', release: 'sandbox' }],
    ['deploy status', { ...DEPLOY, environment: 'status' }],
    ['production --yes', { ...DEPLOY, yes: true }],
    ['-y production', { ...DEPLOY, yes: true }],
    ['production --json --verbose --no-color', { ...DEPLOY, json: true, verbose: true, noColor: true }],
    ['--no-color production', { ...DEPLOY, noColor: true }],
    ['production --allow-downtime --force', { ...DEPLOY, allowDowntime: true, force: true }],
    ['production --force --force', { ...DEPLOY, force: true }],
    ['production --config a/b.yml', { ...DEPLOY, config: 'a/b.yml' }],
    ['--config=a.yml production', { ...DEPLOY, config: 'a.yml' }],
    ['production --config a.yml --config b.yml', { ...DEPLOY, config: 'b.yml' }],
    ['production --wait-lock 10m', { ...DEPLOY, waitLockMs: 600_000 }],
    ['status', STATUS],
    ['status production --json', { ...STATUS, environment: 'production', json: true }],
    ['status --check production', { ...STATUS, environment: 'production', check: true }],
    ['adopt production --wait-lock 10m', { ...HEAL, command: 'adopt', waitLockMs: 600_000 }],
    ['heal production', HEAL],
    ['heal production --wait-lock 30s --allow-downtime', { ...HEAL, waitLockMs: 30_000, allowDowntime: true }],
    ['production v2 --create-tag', { ...DEPLOY, release: 'v2', createTag: true }],
    ['production v2 --create-tag --allow-empty', { ...DEPLOY, release: 'v2', createTag: true, allowEmpty: true }],
    ['production v2 --working-tree', { ...DEPLOY, release: 'v2', workingTree: true }],
    ['tag v1', TAG],
    [
      'tag 1.10 --all --allow-empty -y --json',
      { ...TAG, name: '1.10', json: true, yes: true, all: true, allowEmpty: true },
    ],
    ['tags', { command: 'tags', ...COMMON }],
    ['tags --json', { command: 'tags', ...COMMON, json: true }],
    ['lock status production', LOCK],
    ['lock break production -y --config a.yml', { ...LOCK, action: 'break', yes: true, config: 'a.yml' }],
    ['sandbox up', SANDBOX],
    ['sandbox demo --droplets 5 --folder /tmp/x', { ...SANDBOX, action: 'demo', droplets: 5, folder: '/tmp/x' }],
    ['--version', { command: 'show', text: '1.2.3' }],
  ])('%s', (line, invocation) => {
    expect(parse(line)).toEqual(invocation);
  });

  it.each([
    ['', 'Which environment?', 'do-deploy ENVIRONMENT [RELEASE], for example do-deploy staging'],
    ['deploy', 'Which environment?', 'do-deploy ENVIRONMENT [RELEASE], for example do-deploy staging'],
    ['heal', 'Which environment?', 'do-deploy heal ENVIRONMENT'],
    ['adopt', 'Which environment?', 'do-deploy adopt ENVIRONMENT'],
    ['tag', 'Which name?', 'do-deploy tag NAME, for example do-deploy tag v1.4.2'],
    [
      'production v2 --allow-empty',
      '--allow-empty is about the commit of --create-tag.',
      'do-deploy ENVIRONMENT RELEASE --create-tag',
    ],
    [
      'production --create-tag',
      '--create-tag needs the name of the tag.',
      'do-deploy ENVIRONMENT RELEASE --create-tag',
    ],
    ['lock', 'Which lock, and which environment?', 'do-deploy lock status ENVIRONMENT'],
    ['lock status', 'Which lock, and which environment?', 'do-deploy lock status ENVIRONMENT'],
    [
      'lock brake test',
      'There is no "lock brake".',
      'do-deploy lock status ENVIRONMENT, or do-deploy lock break ENVIRONMENT',
    ],
    ['sandbox', 'Which sandbox command?', 'do-deploy sandbox up, or do-deploy sandbox demo'],
    ['sandbox up --droplets 0', '--droplets 0 is not a number from 1 to 50.', '--droplets 3'],
    ['sandbox demo --droplets 1', '--droplets 1 is not a number from 2 to 50.', '--droplets 3'],
    ['sandbox up --droplets many', '--droplets many is not a number from 1 to 50.', '--droplets 3'],
    ['production --forse', 'There is no option --forse here.', 'did you mean --force?'],
    ['production --allow-downtme', 'There is no option --allow-downtme here.', 'did you mean --allow-downtime?'],
    ['production --forse=yes', 'There is no option --forse here.', 'did you mean --force?'],
    ['status --force', 'There is no option --force here.', 'do-deploy COMMAND --help lists the options of a command'],
    ['production -x', 'There is no option -x here.', 'do-deploy --help lists the options'],
    ['production v1 v2', '"v2" is one word too many.', 'do-deploy ENVIRONMENT [RELEASE]'],
    ['production v1 -- v2', '"v2" is one word too many.', 'do-deploy ENVIRONMENT [RELEASE]'],
    ['production --config', '--config needs a value.', '--config VALUE'],
    ['production --force=yes', '--force takes no value.', '--force, or leave it out'],
    ['production --wait-lock 10', '--wait-lock 10 is no duration up to 24h.', '--wait-lock 10m'],
    ['production a/b', '"a/b" can\'t be a release.', "A release is an image's tag: letters, digits and . _ -"],
  ])('%s is refused', (line, message, hint) => {
    let error: unknown;
    try {
      parse(line);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(DeployError);
    expect(error).toMatchObject({ code: 'usage', source: 'user', message, hint });
  });

  it('can be parsed again and again: nothing is kept', () => {
    expect([parse('production --force'), parse('production')]).toEqual([{ ...DEPLOY, force: true }, DEPLOY]);
  });
});

it("an environment can't have the name of a command", () => {
  const [list = ''] = textOf(parse('--help')).split('Positionals:');
  const commands = [...list.matchAll(/^ {2}do-deploy (\w+)/gm)].map(([, name]) => name);
  expect(commands.sort()).toEqual([...COMMAND_NAMES, 'sandbox'].sort());
});

describe('--help', () => {
  const help = (line: string) => textOf(parse(line));

  it('names every command, option and exit code, in lines that fit a terminal', () => {
    const text = help('--help');
    for (const word of ['status', 'heal', 'lock', 'sandbox', 'deploy <environment> [release]', 'Exit codes']) {
      expect(text).toContain(word);
    }
    const options = ['config', 'json', 'verbose', 'no-color', 'yes', 'allow-downtime', 'wait-lock', 'force', 'version'];
    for (const option of options) expect(text).toContain(`--${option} `);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('of a command tells its own options only', () => {
    expect(help('status --help')).not.toContain('--force');
    expect(help('sandbox --help')).toContain('--droplets');
    expect(help('status --help')).toContain('--check');
    expect(help('heal --help')).toContain('--wait-lock');
    expect(help('production --help')).toContain('--allow-downtime');
  });
});

function textOf(invocation: Invocation): string {
  return invocation.command === 'show' ? invocation.text : '';
}
