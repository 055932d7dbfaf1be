/** Who is asked before something is changed. */
import { describe, expect, it } from 'vitest';
import { defineCommand } from '../../src/cli/define-command.js';
import { runCommandLine } from '../support/command-line.js';

const ask = defineCommand({
  name: 'ask',
  topic: 'deploy',
  summary: 'Ask',
  examples: [
    ['ask', 'ask'],
    ['ask', 'ask'],
  ],
  settings: 'none',
  async run({ canAsk, ask }) {
    const answer = canAsk ? await ask('Deploy with hunter22?\u001b[2J') : 'not asked';
    return { exit: 0, output: { type: 'text', lines: [String(answer)] } };
  },
});

const run = (words: string[], options: { env?: Record<string, string>; isTerminal?: boolean } = {}) =>
  runCommandLine(words, {
    cwd: '/',
    commands: { ask: async () => ({ default: ask }) },
    answer: 'y\n',
    isTerminal: true,
    ...options,
  });

describe('a question', () => {
  it('is asked of a user at a terminal, without secrets and control characters', async () => {
    const { stdout } = await run([], { env: { DB_PASSWORD: 'hunter22' } });
    expect(stdout).toContain('Deploy with [secret]? [y/N] ');
    expect(stdout).toMatch(/true\n$/);
  });

  it.each<[string, string[], object]>([
    ['--json leaves no place for it', ['--json'], {}],
    ['it runs in CI', [], { env: { CI: 'true' } }],
    ['there is no terminal', [], { isTerminal: false }],
  ])('is not asked when %s', async (_, words, options) => {
    const { stdout, stderr } = await run(words, options);
    expect(stdout + stderr).toBe('not asked\n');
  });
});
