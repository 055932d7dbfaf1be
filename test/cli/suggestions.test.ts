/** A command line that was meant otherwise: the error has the command to type instead. */
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/index.js';
import { COMMAND_NAMES } from '../../src/config/names.js';
import { createProject } from '../config/project-folder.js';
import { runCommandLine } from '../support/command-line.js';

const YAML = 'app: shop\nenvironments: { staging: { droplet: 1 }, production: { load_balancer: web } }\n';

describe('an environment that does not exist', () => {
  it.each([
    ['stauts', 'did you mean the command status? do-deploy status'],
    ['statsu --json', 'did you mean the command status? do-deploy status --json'],
    ['rolback production', 'did you mean the command rollback? do-deploy rollback production'],
    ['v3 production', 'ENVIRONMENT comes first: do-deploy production v3'],
    ['v3 production --yes', 'ENVIRONMENT comes first: do-deploy production v3 --yes'],
    ['rollback v3 production', 'ENVIRONMENT comes first: do-deploy rollback production v3'],
    ['prodction v3', 'did you mean production? do-deploy production v3; environments: staging and production'],
    ['status stagin', 'did you mean staging? do-deploy status staging; environments: staging and production'],
    ['lock brake', 'do-deploy lock status or do-deploy lock break'],
    ['sandbox v2', 'do-deploy sandbox up or do-deploy sandbox demo'],
    ['help', 'do-deploy --help'],
    ['elsewhere', 'environments: staging and production; do-deploy --help lists the commands'],
    // Only the default command could have been meant for another one.
    ['heal stauts', 'environments: staging and production; do-deploy --help lists the commands'],
  ])('%s', async (line, hint) => {
    const { exit, stdout, stderr } = await runCommandLine(line.split(' '), {
      cwd: createProject({ 'config/deploy.yml': YAML }),
      env: { DO_TOKEN: 'dop_v1_0123456789' },
    });
    expect([exit, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: There is no environment "[\w-]+" in config\/deploy\.yml\.\n/);
    expect(stderr).toContain(`\n  try: ${hint}\n`);
  });
});

it.each([
  ['production --create-tag', '--create-tag needs RELEASE.', 'do-deploy production v1.4.2 --create-tag'],
  [
    'production v2 --allow-empty',
    '--allow-empty needs --create-tag.',
    'do-deploy production v2 --create-tag --allow-empty',
  ],
])('%s is refused', async (line, message, hint) => {
  const { exit, stderr } = await runCommandLine(line.split(' '), { cwd: '/' });
  expect([exit, stderr]).toEqual([2, `error: ${message}\n  try: ${hint}\n`]);
});

it('an environment cannot have the name of a command; one with the name of a group can be deployed', () => {
  const words = Object.keys(COMMANDS).filter((name) => !name.includes(' '));
  expect([...COMMAND_NAMES].sort()).toEqual(words.sort());
});
