import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { confirmation, ifConfirmed, mustAsk } from '../../src/commands/shared/confirm.js';
import { runCommandLine } from '../support/command-line.js';

const WORDS = ['production', 'v3'];
const context = (canAsk: boolean, isCi: boolean, yes: boolean) => ({ canAsk, isCi, argv: WORDS, args: { yes } });

it.each([
  ['at a terminal', context(true, false, false), true],
  ['with --yes', context(true, false, true), false],
  ['with --yes and without a terminal', context(false, false, true), false],
  ['in CI', context(false, true, false), false],
])('a change that needs a confirmation %s', (_, of, asks) => {
  expect(mustAsk(of, true)).toBe(asks);
});

it('without a terminal and without --yes, it is refused with the command to type', () => {
  expect(() => mustAsk(context(false, false, false), true)).toThrow(
    expect.objectContaining({
      message: 'This needs a confirmation, and there is no terminal to ask at.',
      hint: 'do-deploy production v3 --yes',
    }),
  );
  expect(mustAsk(context(false, false, false), false), 'an environment without a confirmation').toBe(false);
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

describe('a change that is confirmed first', () => {
  const run = async (answer: boolean, question: string | (() => Promise<string | undefined>), yes = false) => {
    const done: string[] = [];
    const context = {
      ...{ canAsk: true, isCi: false, argv: WORDS, args: { environment: 'production', yes } },
      ask: async (asked: string) => done.push(asked) > 0 && answer,
      askFor: async () => '',
    };
    const change = async () => ({ exit: done.push('changed') });
    const end = await ifConfirmed(context, { confirm: true, isProtected: false }, question, change);
    return { done, exit: end.exit, output: end.output };
  };

  it('is made after a yes', async () => {
    expect(await run(true, 'Restart?')).toMatchObject({ done: ['Restart?', 'changed'] });
  });

  it('is not made after a no, which says so', async () => {
    expect(await run(false, async () => 'Heal?')).toEqual({
      done: ['Heal?'],
      exit: 130,
      output: { type: 'text', lines: ['Nothing was changed.'] },
    });
  });

  it('is made without a question where there is nothing to ask, or nobody has to be asked', async () => {
    expect(await run(false, async () => undefined)).toMatchObject({ done: ['changed'] });
    const question = async () => {
      throw new Error('what it is about was read');
    };
    expect(await run(false, question, true)).toMatchObject({ done: ['changed'] });
  });
});

describe('a protected environment', () => {
  const settings = { confirm: true, isProtected: true };
  function protectedRun({
    canAsk = false,
    isCi = false,
    yes = false,
    named = undefined as string | undefined,
    types = '',
  }) {
    const questions: string[] = [];
    const context = {
      canAsk,
      isCi,
      argv: WORDS,
      args: { environment: 'production', yes, confirmEnvironment: named },
      ask: async () => true,
      askFor: async (question: string) => {
        questions.push(question);
        return types;
      },
    };
    return { confirm: () => confirmation(context, settings), questions };
  }

  it.each([
    ['production', true],
    ['', false],
  ])('is confirmed at a terminal by its name: %j is %j', async (types, confirmed) => {
    const { confirm, questions } = protectedRun({ canAsk: true, yes: true, types });
    expect(await confirm()?.('Deploy shop v3 to production?')).toBe(confirmed);
    expect(questions).toEqual(['Deploy shop v3 to production? Type production:']);
  });

  it.each(['Production', 'y'])('another name at the prompt is a wrong one: %j', async (types) => {
    const { confirm } = protectedRun({ canAsk: true, yes: true, types });
    await expect(confirm()?.('Deploy?')).rejects.toMatchObject({
      code: 'usage',
      message: 'What was typed is not production.',
      hint: 'do-deploy production v3 --confirm-environment production',
    });
  });

  it('an empty name confirms nothing', () => {
    expect(protectedRun({ named: '' }).confirm).toThrow(
      '--confirm-environment is empty, and the environment is production.',
    );
  });

  it.each([{ isCi: true }, { yes: true }, { canAsk: false }])(
    'needs its name where nobody can be asked (%j)',
    (where) => {
      expect(protectedRun(where).confirm).toThrow(
        expect.objectContaining({ hint: 'do-deploy production v3 --confirm-environment production' }),
      );
      expect(protectedRun({ ...where, named: 'production' }).confirm()).toBeUndefined();
    },
  );

  it('is not confirmed by another name, nor is any other environment', () => {
    const wrong = expect.objectContaining({
      code: 'usage',
      message: '--confirm-environment names staging, and the environment is production.',
    });
    expect(protectedRun({ canAsk: true, named: 'staging' }).confirm).toThrow(wrong);
    const context = {
      canAsk: true,
      isCi: false,
      argv: WORDS,
      args: { environment: 'production', yes: true, confirmEnvironment: 'staging' },
    };
    const asking = { ...context, ask: async () => true, askFor: async () => '' };
    expect(() => confirmation(asking, { confirm: false, isProtected: false })).toThrow(wrong);
  });
});

describe('without a terminal, nothing is contacted', () => {
  const always = [
    { from: 'Mon 00:00', to: 'Sun 12:00' },
    { from: 'Sat 12:00', to: 'Tue 00:00' },
  ];
  const run = async (words: string, settings: object) => {
    const cwd = mkdtempSync(join(tmpdir(), 'do-deploy-confirm-'));
    onTestFinished(() => rmSync(cwd, { recursive: true, force: true }));
    for (const folder of ['config', 'compose']) mkdirSync(join(cwd, folder));
    writeFileSync(join(cwd, 'compose/docker-compose.yml'), 'services: { app: { image: app } }\n');
    const written = {
      app: 'shop',
      api_url: 'http://127.0.0.1:9',
      environments: { production: { load_balancer: 'web' } },
      secrets: { A: { command: 'touch asked; echo secret' } },
      ...settings,
    };
    writeFileSync(join(cwd, 'config/deploy.yml'), JSON.stringify(written));
    const end = await runCommandLine(words.split(' '), {
      cwd,
      env: { HOME: cwd, DO_TOKEN: 'dop_v1_abc', PATH: process.env.PATH },
    });
    return { ...end, asked: existsSync(join(cwd, 'asked')) };
  };

  it.each(['production v1 --yes', 'rollback production --yes', 'adopt production'])(
    '%s is refused in a freeze',
    async (words) => {
      const { exit, stderr, asked } = await run(words, { freeze: always });
      expect(exit).toBe(2);
      expect(stderr).toMatch(
        /^error: production is frozen from (Mon 00:00 to Sun 12:00|Sat 12:00 to Tue 00:00) \(UTC\)\. Freeze windows follow each other without an end\. Nothing was contacted\.$/m,
      );
      expect(stderr).toContain(`Correct freeze:, or run it all the same: do-deploy ${words} --during-freeze`);
      expect(asked, 'no command of secrets: has run').toBe(false);
    },
  );

  it('with --during-freeze it goes on; heal needs none', async () => {
    for (const words of ['rollback production --yes --during-freeze', 'heal production --yes']) {
      const { exit, stdout, stderr } = await run(words, { freeze: always });
      expect(exit).toBe(1);
      expect(stdout + stderr).not.toContain('frozen');
    }
  });

  it.each([
    'production v1',
    'rollback production',
    'adopt production',
    'heal production',
    'lock break production',
    'promote production',
    'bootstrap production',
  ])('%s is refused in a protected environment without its name', async (words) => {
    const { exit, stderr } = await run(`${words}`, { protected: true, secrets: {} });
    expect(stderr).toContain(`${words} --confirm-environment production`);
    expect(exit).toBe(2);
  });

  it.each([
    'lock break production --confirm-environment production',
    'bootstrap production --confirm-environment production',
    'bootstrap production --check',
  ])('%s goes on in a protected environment', async (words) => {
    const { exit, stderr } = await run(words, { protected: true, secrets: {} });
    expect(stderr).toContain("Can't reach 127.0.0.1:9");
    expect(exit).toBe(1);
  });
});
