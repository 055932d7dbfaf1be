import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { mustAsk } from '../../src/commands/shared/confirm.js';
import { runCommandLine } from '../support/command-line.js';

const WORDS = ['production', 'v3'];
const context = (canAsk: boolean, isCi: boolean, yes: boolean) => ({ canAsk, isCi, args: { yes } });

it.each([
  ['at a terminal', context(true, false, false), true],
  ['with --yes', context(true, false, true), false],
  ['with --yes and without a terminal', context(false, false, true), false],
  ['in CI', context(false, true, false), false],
])('a change that needs a confirmation %s', (_, of, asks) => {
  expect(mustAsk(of, true, WORDS)).toBe(asks);
});

it('without a terminal and without --yes, it is refused with the command to type', () => {
  expect(() => mustAsk(context(false, false, false), true, WORDS)).toThrow(
    expect.objectContaining({
      message: 'This needs a confirmation, and there is no terminal to ask at.',
      hint: 'do-deploy production v3 --yes',
    }),
  );
  expect(mustAsk(context(false, false, false), false, WORDS), 'an environment without a confirmation').toBe(false);
});

it.each([
  ['heal production', 'do-deploy heal production --yes'],
  ['rollback production v1', 'do-deploy rollback production v1 --yes'],
  ['lock break production', 'do-deploy lock break production --yes'],
])('%s is refused like a deploy, and nothing is contacted', async (words, hint) => {
  const cwd = mkdtempSync(join(tmpdir(), 'do-deploy-confirm-'));
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
  mkdirSync(join(cwd, 'config'));
  writeFileSync(
    join(cwd, 'config/deploy.yml'),
    'app: shop\napi_url: http://127.0.0.1:9\nenvironments: { production: { load_balancer: web } }\n',
  );
  const { exit, stderr } = await runCommandLine(words.split(' '), { cwd, env: { HOME: cwd, DO_TOKEN: 'dop_v1_abc' } });
  expect(stderr).toBe(`error: This needs a confirmation, and there is no terminal to ask at.\n  try: ${hint}\n`);
  expect(exit).toBe(2);
});
