import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/problems.js';
import { DeployError } from '../../src/errors.js';
import { reporterOn } from '../support/reporter-on.js';

type Options = Parameters<typeof reporterOn>[0];

function printed(error: DeployError, options: Options = {}): string {
  const { reporter, stdout, stderr } = reporterOn(options);
  reporter.printError(error);
  expect(stdout.text).toBe('');
  return stderr.text;
}

describe('an error', () => {
  it('is a sentence, its place, and what to try', () => {
    const error = new DeployError('ssh-auth', 'The server accepted no key.', {
      hint: 'Add your key to the agent.',
      droplet: 'web-1',
      step: 'connect',
    });
    expect(printed(error)).toBe(
      'error: The server accepted no key. (web-1, connect)\n  try: Add your key to the agent.\n',
    );
  });

  it('lists every problem of a configuration', () => {
    const error = new ConfigError('config/deploy.yml', [
      { place: 'config/deploy.yml:3', message: 'unknown key "imagetag"', remedy: 'write image_tag' },
      { place: 'DO_TOKEN', message: 'is not set', remedy: 'put it into config/.env' },
    ]);
    expect(printed(error)).toBe(`error: config/deploy.yml has 2 problems.
  config/deploy.yml:3: unknown key "imagetag"; write image_tag
  DO_TOKEN: is not set; put it into config/.env
  try: ${error.hint}
`);
  });

  it('has its stack and its causes only with --verbose', () => {
    const cause = new Error('read ECONNRESET');
    const error = new DeployError('cloud-network', 'DigitalOcean does not answer.', { cause });
    expect(printed(error)).not.toContain('ECONNRESET');
    expect(printed(error, { level: 'verbose' })).toMatch(
      /print-error\.test\.ts[\s\S]*caused by: Error: read ECONNRESET/,
    );
  });

  it('ends when it is its own cause', () => {
    const cause = new Error('round');
    const error = new DeployError('x', 'It broke.', { cause });
    cause.cause = error;
    expect(printed(error, { level: 'verbose' }).match(/caused by/g)).toHaveLength(1);
  });

  it('has no secret, not even in its stack, and cannot move the cursor', () => {
    const error = new DeployError('x', 'login hunter22 \x1b[2Jfailed', { cause: new Error('with hunter22') });
    const text = printed(error, { level: 'verbose', secrets: ['hunter22'] });
    expect(text).toContain('error: login [secret] failed');
    expect(text).not.toContain('hunter22');
    expect(text).not.toContain('\x1b');
  });

  it('goes to stderr also with --json, which reserves stdout for events', () => {
    expect(printed(new DeployError('x', 'It broke.'), { mode: 'json' })).toBe('error: It broke.\n');
  });
});
