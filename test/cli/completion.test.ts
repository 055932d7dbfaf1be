import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { complete } from '../../src/cli/completion.js';
import { loadCommands } from '../../src/cli/define-command.js';
import { COMMANDS } from '../../src/commands/index.js';
import { createProject } from '../config/project-folder.js';

const commands = await loadCommands(COMMANDS);
const ENVIRONMENTS = ['staging', 'production'];

describe('a word', () => {
  it.each<[string, string[], string[]]>([
    ['at the start is a command or an environment', ['sta'], ['status', 'start', 'staging']],
    ['after a group is one of its commands', ['lock', ''], ['status', 'break']],
    ['for an environment is one', ['heal', ''], ENVIRONMENTS],
    ['after options is what it would be without them', ['--json', 'heal', '--wait-lock', '10m', 'p'], ['production']],
    [
      'of an option is one of the command',
      ['status', '--'],
      [
        '--check',
        '--config',
        '--set',
        '--json',
        '--quiet',
        '--verbose',
        '--debug',
        '--no-color',
        '--help',
        '--version',
      ],
    ],
    ['of a default command, too', ['production', '--cr'], ['--create-tag']],
    ['for a fixed set of values is one of them', ['completion', ''], ['bash', 'zsh', 'fish']],
    ['for the value of an option is left to the shell', ['--config', ''], []],
    ['for a release is not known', ['production', ''], []],
    ['after the last argument is nothing', ['heal', 'production', ''], []],
    ['after -- is nothing', ['completion', 'bash', '--', ''], []],
  ])('%s', (_, words, expected) => {
    expect(complete(commands, words, ENVIRONMENTS)).toEqual(expected);
  });

  it('at the start may be every command and environment', () => {
    const names = Object.keys(COMMANDS).map((name) => name.split(' ')[0] ?? '');
    expect(complete(commands, [''], ENVIRONMENTS)).toEqual([...new Set(names), ...ENVIRONMENTS]);
  });
});

function isInstalled(shell: string): boolean {
  return (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, shell)));
}

/** How each shell is asked for what may follow: the words are arguments of `try`, the last one unfinished. */
const TRIALS = {
  bash: [
    'source <(do-deploy completion bash)',
    'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _do_deploy; printf "%s\\n" "$' + '{COMPREPLY[@]}"; }',
  ],
  zsh: [
    'compdef() { :; }; compadd() { print -l -- $found; }; _files() { :; }',
    'source <(do-deploy completion zsh)',
    'try() { words=("$@"); CURRENT=$#; _do_deploy; }',
  ],
  fish: ['do-deploy completion fish | source', 'function try; complete -C "$argv"; end'],
};

describe('the script', () => {
  const yaml = 'app: shop\nenvironments: { staging: { droplet: 1 }, production: { load_balancer: web } }\n';

  describe.each(Object.entries(TRIALS))('for %s', (shell, trial) => {
    it.runIf(isInstalled(shell)).each([
      ['do-deploy sta', ['staging', 'start', 'status']],
      ["do-deploy heal ''", ['production', 'staging']],
      ['do-deploy production --cr', ['--create-tag']],
    ])('completes %s', (words, expected) => {
      const main = `#!/bin/sh\nexec '${process.execPath}' '${resolve('dist/main.js')}' "$@"\n`;
      const cwd = createProject({ 'config/deploy.yml': yaml, 'bin/do-deploy*': main });
      const env = { PATH: `${join(cwd, 'bin')}:${process.env.PATH}`, HOME: cwd, TERM: 'dumb' };
      const printed = execFileSync(shell, ['-c', [...trial, `try ${words}`].join('\n')], {
        cwd,
        env,
        encoding: 'utf8',
      });
      expect(printed.trimEnd().split('\n').sort()).toEqual(expected);
    });
  });
});
