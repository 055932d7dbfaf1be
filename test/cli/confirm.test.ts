import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { confirm, mustConfirm } from '../../src/cli/confirm.js';
import type { CliContext } from '../../src/cli/context.js';

function terminal(isTTY: { stdin: boolean; stdout: boolean } = { stdin: true, stdout: true }) {
  const stdin = Object.assign(new PassThrough(), { isTTY: isTTY.stdin });
  const stdout = Object.assign(new PassThrough(), { isTTY: isTTY.stdout });
  return { stdin, stdout } as unknown as Pick<CliContext, 'stdin' | 'stdout'> & {
    stdin: PassThrough;
    stdout: PassThrough;
  };
}

describe('the question before production', () => {
  const ask = { confirm: true };
  const quiet = { yes: false, json: false };

  it('is asked of somebody at a terminal', () => {
    expect(mustConfirm(ask, quiet, { ...terminal(), env: {} })).toBe(true);
  });

  it.each<[string, boolean]>([
    ['the environment does not want it', mustConfirm({ confirm: false }, quiet, { ...terminal(), env: {} })],
    ['--yes says it', mustConfirm(ask, { yes: true, json: false }, { ...terminal(), env: {} })],
    ['--json leaves no place for it', mustConfirm(ask, { yes: false, json: true }, { ...terminal(), env: {} })],
    ['it runs in CI', mustConfirm(ask, quiet, { ...terminal(), env: { CI: 'true' } })],
    ['nobody can type', mustConfirm(ask, quiet, { ...terminal({ stdin: false, stdout: true }), env: {} })],
    ['nobody can read', mustConfirm(ask, quiet, { ...terminal({ stdin: true, stdout: false }), env: {} })],
  ])('is not asked when %s', (_, asked) => {
    expect(asked).toBe(false);
  });

  it.each([
    ['y\n', true],
    ['YES\n', true],
    [' y \n', true],
    ['\n', false],
    ['n\n', false],
    ['yeah, no\n', false],
  ])('answered %j is %s', async (typed, answer) => {
    const io = terminal();
    const asked = confirm('Deploy shop v2 to production?', io);
    io.stdin.write(typed);
    expect(await asked).toBe(answer);
    expect(String(io.stdout.read())).toContain('Deploy shop v2 to production? [y/N] ');
  });

  it.each([
    ['Ctrl-D', (stdin: PassThrough) => stdin.end()],
    ['Ctrl-C', (stdin: PassThrough) => stdin.write('\x03')],
  ])('answered by %s is no', async (_, type) => {
    const io = terminal();
    const asked = confirm('Deploy?', io);
    type(io.stdin);
    expect(await asked).toBe(false);
  });
});
