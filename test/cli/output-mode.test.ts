import { describe, expect, it } from 'vitest';
import { chooseLevel, chooseOutputMode, ciLog } from '../../src/cli/output-mode.js';

type Case = [
  name: string,
  options: { json?: boolean; noColor?: boolean },
  env: Record<string, string>,
  isTerminal: boolean,
  expected: { mode: string; color: boolean },
];

describe('the output', () => {
  it.each<Case>([
    ['on a terminal is live and coloured', {}, {}, true, { mode: 'terminal', color: true }],
    ['into a pipe is plain', {}, {}, false, { mode: 'plain', color: false }],
    ['of a CI job is plain, terminal or not', {}, { CI: 'true' }, true, { mode: 'plain', color: false }],
    ['is live where CI says false', {}, { CI: 'false' }, true, { mode: 'terminal', color: true }],
    ['on a dumb terminal is plain', {}, { TERM: 'dumb' }, true, { mode: 'plain', color: false }],
    [
      'as JSON has no colour, whatever is forced',
      { json: true },
      { FORCE_COLOR: '1' },
      true,
      { mode: 'json', color: false },
    ],
    [
      'has no colour with --no-color',
      { noColor: true },
      { FORCE_COLOR: '1' },
      true,
      { mode: 'terminal', color: false },
    ],
    ['has no colour with NO_COLOR', {}, { NO_COLOR: '1', FORCE_COLOR: '1' }, true, { mode: 'terminal', color: false }],
    ['ignores an empty NO_COLOR', {}, { NO_COLOR: '' }, true, { mode: 'terminal', color: true }],
    ['is coloured in a pipe with FORCE_COLOR', {}, { FORCE_COLOR: '1' }, false, { mode: 'plain', color: true }],
    ['is coloured in CI with FORCE_COLOR', {}, { CI: '1', FORCE_COLOR: 'true' }, false, { mode: 'plain', color: true }],
    ['has no colour with FORCE_COLOR=0', {}, { FORCE_COLOR: '0' }, true, { mode: 'terminal', color: false }],
  ])('%s', (_, options, env, isTerminal, expected) => {
    expect(chooseOutputMode({ json: false, noColor: false, ...options }, env, isTerminal)).toEqual(expected);
  });
});

it.each<[Record<string, string>, object]>([
  [{ GITHUB_ACTIONS: 'true' }, { github: {} }],
  [
    { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: '/s', GITHUB_OUTPUT: '/o' },
    { github: { summaryPath: '/s', outputPath: '/o' } },
  ],
  [{ GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: '/w/shop' }, { github: { folder: 'api' } }],
  [{ GITLAB_CI: 'true' }, { log: 'gitlab' }],
  [{ TF_BUILD: 'True' }, { log: 'azure' }],
  [{ CIRCLECI: 'true' }, {}],
  // Handed on to a container, without the files and the log of the job.
  [{ GITHUB_ACTOR: 'ann', GITHUB_OUTPUT: '/o' }, {}],
  [{}, {}],
])('the log of a CI system is folded, with %j', (env, expected) => {
  expect(ciLog(env, '/w/shop/api')).toEqual(expected);
});

it('as much is told as the most talkative option asks for', () => {
  const level = (...options: string[]) =>
    chooseLevel({
      quiet: options.includes('quiet'),
      verbose: options.includes('verbose'),
      debug: options.includes('debug'),
    });
  expect(level()).toBe('normal');
  expect(level('quiet')).toBe('quiet');
  expect(level('quiet', 'verbose')).toBe('verbose');
  expect(level('quiet', 'verbose', 'debug')).toBe('debug');
});
