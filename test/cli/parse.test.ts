import { describe, expect, it } from 'vitest';
import { understand } from '../../src/cli/parse.js';
import { COMMANDS } from '../../src/commands/index.js';
import { DeployError } from '../../src/errors.js';

const understandLine = (line: string) => understand(line.split(' ').filter(Boolean), COMMANDS);

async function parse(line: string): Promise<Record<string, unknown>> {
  const invocation = await understandLine(line);
  if (invocation.kind !== 'run') return { kind: invocation.kind };
  return { command: invocation.command.name, ...invocation.args };
}

const COMMON = { set: [], quiet: false, json: false, verbose: false, debug: false, noColor: false, rest: [] };
const ROLLOUT = { ...COMMON, allowDowntime: false, waitLock: 0, confirm: [] };
const DEPLOY = {
  command: 'deploy',
  environment: 'production',
  ...ROLLOUT,
  duringFreeze: false,
  yes: false,
  skipUnreachable: false,
  skippedOk: false,
  canary: false,
  droplets: [],
  force: false,
  createTag: false,
  skipMigrate: false,
  allowEmpty: false,
  workingTree: false,
  skipFirstCheck: false,
};
const TAG = { command: 'tag', name: 'v1', ...COMMON, yes: false, all: false, allowEmpty: false };
const ADOPT = { command: 'adopt', environment: 'production', ...ROLLOUT, duringFreeze: false };
const HEAL = { command: 'heal', environment: 'production', ...ROLLOUT, yes: false };
const STATUS = { command: 'status', ...COMMON, check: false };
const UP = { command: 'sandbox up', droplets: 3, ...COMMON };

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
    // A group's word is a command only with a command of the group. Otherwise it is an environment.
    ['sandbox v2', { ...DEPLOY, environment: 'sandbox', release: 'v2' }],
    ['lock v2', { ...DEPLOY, environment: 'lock', release: 'v2' }],
    ['deploy sandbox', { ...DEPLOY, environment: 'sandbox' }],
    ['deploy sandbox up', { ...DEPLOY, environment: 'sandbox', release: 'up' }],
    [
      '--config a.yml sandbox --wait-lock 10m v2',
      { ...DEPLOY, environment: 'sandbox', release: 'v2', config: 'a.yml', waitLock: 600_000 },
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
    ['--config= production', { ...DEPLOY, config: '' }],
    ['production --config a.yml --config b.yml', { ...DEPLOY, config: 'b.yml' }],
    ['production --wait-lock 10m', { ...DEPLOY, waitLock: 600_000 }],
    // Nothing takes a word after a bare -- but as an argument.
    ['production -- v1', { ...DEPLOY, release: 'v1' }],
    ['status', STATUS],
    ['status production --json', { ...STATUS, environment: 'production', json: true }],
    ['status --check production', { ...STATUS, environment: 'production', check: true }],
    // Options may come before the name, those of the command too.
    ['--check status production', { ...STATUS, environment: 'production', check: true }],
    ['--yes lock break production', { command: 'lock break', environment: 'production', ...COMMON, yes: true }],
    ['--all tag v1', { ...TAG, all: true }],
    ['--droplets 5 sandbox up', { ...UP, droplets: 5 }],
    ['sandbox --droplets 5 up', { ...UP, droplets: 5 }],
    ['adopt production --wait-lock 10m', { ...ADOPT, waitLock: 600_000 }],
    ['heal production', HEAL],
    ['heal production --wait-lock 30s --allow-downtime', { ...HEAL, waitLock: 30_000, allowDowntime: true }],
    ['production v2 --canary', { ...DEPLOY, release: 'v2', canary: true }],
    ['production --canary v2', { ...DEPLOY, release: 'v2', canary: true }],
    ['production v2 --canary 2', { ...DEPLOY, release: 'v2', canary: 2 }],
    ['production --canary=3 v2', { ...DEPLOY, release: 'v2', canary: 3 }],
    [
      'production v2 --droplets web-1,web-3 --droplets web-1',
      { ...DEPLOY, release: 'v2', droplets: ['web-1', 'web-3'] },
    ],
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
    ['lock status production', { command: 'lock status', environment: 'production', ...COMMON }],
    [
      'lock break production -y --config a.yml',
      { command: 'lock break', environment: 'production', ...COMMON, yes: true, config: 'a.yml' },
    ],
    ['sandbox up', UP],
    ['sandbox demo --droplets 5 --folder /tmp/x', { ...UP, command: 'sandbox demo', droplets: 5, folder: '/tmp/x' }],
    ['completion bash', { command: 'completion', shell: 'bash', ...COMMON }],
    ['completion bash -- heal --json', { command: 'completion', shell: 'bash', ...COMMON, rest: ['heal', '--json'] }],
    ['--version', { kind: 'version' }],
    ['production --version', { kind: 'version' }],
    ['--help', { kind: 'help' }],
    ['production v1 v2 --help', { kind: 'help' }],
  ])('%s', async (line, expected) => {
    expect(await parse(line)).toEqual(expected);
  });

  const USAGE = 'do-deploy ENVIRONMENT [RELEASE]';
  const START = `${USAGE}, for example do-deploy staging; do-deploy --help lists the commands`;
  it.each([
    ['', 'Missing argument ENVIRONMENT.', START],
    [
      'deploy',
      'Missing argument ENVIRONMENT.',
      'do-deploy deploy ENVIRONMENT [RELEASE], for example do-deploy staging',
    ],
    ['heal', 'Missing argument ENVIRONMENT.', 'do-deploy heal ENVIRONMENT, for example do-deploy heal production'],
    ['tag', 'Missing argument NAME.', 'do-deploy tag NAME, for example do-deploy tag v1.4.2'],
    [
      'lock status',
      'Missing argument ENVIRONMENT.',
      'do-deploy lock status ENVIRONMENT, for example do-deploy lock status production',
    ],
    ['lock', 'Missing command after "lock".', 'do-deploy lock status or do-deploy lock break'],
    ['sandbox', 'Missing command after "sandbox".', 'do-deploy sandbox up or do-deploy sandbox demo'],
    ['lock brake test', 'Unknown command "lock brake".', 'do-deploy lock break test'],
    ['lock open test', 'Unknown command "lock open".', 'do-deploy lock status or do-deploy lock break'],
    [
      'sandbox up --droplets 0',
      'Invalid --droplets: expected a number from 1 to 50.',
      'do-deploy sandbox up --droplets 3',
    ],
    [
      'sandbox demo --droplets=1',
      'Invalid --droplets: expected a number from 2 to 50.',
      'do-deploy sandbox demo --droplets 3',
    ],
    [
      'sandbox up --droplets many',
      'Invalid --droplets: expected a number from 1 to 50.',
      'do-deploy sandbox up --droplets 3',
    ],
    ['production --forse', 'Unknown option --forse.', 'do-deploy production --force'],
    ['production --allow-downtme', 'Unknown option --allow-downtme.', 'do-deploy production --allow-downtime'],
    ['production --wiat-lock=10m', 'Unknown option --wiat-lock.', 'do-deploy production --wait-lock=10m'],
    ['status --force', 'Unknown option --force.', 'do-deploy status --help'],
    ['production -x', 'Unknown option -x.', 'do-deploy deploy --help'],
    ['-v', 'Unknown option -v.', 'do-deploy --verbose or do-deploy --version'],
    ['production v1 v2', 'Unexpected argument "v2": production is ENVIRONMENT and v1 is RELEASE.', USAGE],
    [
      'production v1 --canary two',
      '--canary takes a number of droplets, not two.',
      'do-deploy production v1 --canary 1',
    ],
    ['sandbox v2 --canary 50%', '--canary takes a number of droplets, not 50%.', 'do-deploy sandbox v2 --canary 1'],
    [
      'production v1 --canary=',
      'Invalid --canary: expected a number from 1 to 1000.',
      'do-deploy production v1 --canary 1',
    ],
    [
      'production v1 --droplets web-1, web-2, web-3 --yes',
      'Names are separated by commas, without spaces.',
      'do-deploy production v1 --droplets web-1,web-2,web-3 --yes',
    ],
    [
      'production --droplets=web-1, web-2',
      'Names are separated by commas, without spaces.',
      'do-deploy production --droplets=web-1,web-2',
    ],
    [
      'production v1 --droplets web-1 web-2 web-3 --yes',
      'Names are separated by commas.',
      'do-deploy production v1 --droplets web-1,web-2,web-3 --yes',
    ],
    [
      'production v1 --yes --droplets=web-1 web-2',
      'Names are separated by commas.',
      'do-deploy production v1 --yes --droplets=web-1,web-2',
    ],
    [
      'production v1 v2 --droplets web-1',
      'Unexpected argument "v2": production is ENVIRONMENT and v1 is RELEASE.',
      USAGE,
    ],
    [
      '--droplets web-1 production v1 v2',
      'Unexpected argument "v2": production is ENVIRONMENT and v1 is RELEASE.',
      USAGE,
    ],
    ['production v1 -- v2', 'Unexpected argument "v2": production is ENVIRONMENT and v1 is RELEASE.', USAGE],
    [
      'promote production v2 --yes',
      'promote takes the release that is held, so it needs no RELEASE.',
      'do-deploy promote production --yes',
    ],
    [
      'production v1 --force-unsafe',
      'Unknown option --force-unsafe.',
      expect.stringContaining('When everything is already down'),
    ],
    ['status a b', 'Unexpected argument "b": a is ENVIRONMENT.', 'do-deploy status [ENVIRONMENT]'],
    ['production --config', '--config needs a value.', 'do-deploy production --config FILE'],
    ['production --config --json', '--config needs a value.', 'do-deploy production --config FILE --json'],
    ['production --force=yes', '--force takes no value.', 'do-deploy production --force'],
    [
      'production --wait-lock 10',
      'Invalid --wait-lock: expected a duration of at most 24h.',
      'do-deploy production --wait-lock 10m',
    ],
    [
      'production a/b --yes',
      'Invalid RELEASE: expected an image tag: letters a-z, digits and . _ -.',
      'do-deploy production v1.4.2 --yes',
    ],
    ['completion tcsh', 'Invalid SHELL: expected one of bash, zsh, fish.', 'do-deploy completion bash'],
  ])('%s is refused', async (line, message, hint) => {
    const error = await understandLine(line).then(undefined, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DeployError);
    expect(error).toMatchObject({ code: 'usage', source: 'user', message, hint });
  });

  it('can be parsed again and again: nothing is kept', async () => {
    expect([await parse('production --force'), await parse('production')]).toEqual([
      { ...DEPLOY, force: true },
      DEPLOY,
    ]);
  });
});
