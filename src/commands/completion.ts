import { choice, required } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';

export default defineCommand({
  name: 'completion',
  topic: 'set-up',
  summary: 'Print a completion script for bash, zsh or fish',
  description: 'It completes commands, options and the names of environments.',
  examples: [
    ['completion bash >>~/.bashrc', 'complete in bash'],
    ['completion zsh >~/.zfunc/_do-deploy', 'complete in zsh, if ~/.zfunc is in its fpath'],
    ['completion fish >~/.config/fish/completions/do-deploy.fish', 'complete in fish'],
  ],
  positionals: { shell: required(choice({ describe: 'bash, zsh or fish', choices: ['bash', 'zsh', 'fish'] })) },
  rest: { value: 'WORDS', describe: 'The words to complete: the script calls this' },
  settings: 'none',
  async run({ args, commands, environments }) {
    const { complete, completionScript } = await import('../cli/completion.js');
    if (args.rest.length === 0) {
      return { exit: EXIT.ok, output: { type: 'text', lines: completionScript(args.shell) } };
    }
    const names = await environments().catch(() => []);
    return { exit: EXIT.ok, output: { type: 'text', lines: complete(await commands(), args.rest, names) } };
  },
});
