import { text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { environment, programExits } from '../cli/options.js';
import { checkWords, loggedIn, runOnDroplets } from './shared/programs.js';

export default defineCommand({
  name: 'ssh',
  topic: 'operate',
  summary: 'Log in to a droplet',
  description:
    'Uses the user, key, jump hosts and host key check of a deploy. A command is run instead of a login shell. Its words\nare passed on as they are, so a line for a shell is `sh -c LINE`.',
  examples: [
    ['ssh production', 'log in to the first droplet in rotation'],
    ['ssh production web-2 -- docker ps', 'run a command there'],
  ],
  positionals: {
    environment,
    droplet: text({ describe: 'The droplet, by its name or id (default: the first in rotation)' }),
  },
  options: {
    role: text({ value: 'NAME', describe: 'Only droplets of this role' }),
    user: text({ value: 'NAME', describe: 'Log in as this user (default: ssh.user)' }),
  },
  rest: { value: 'COMMAND', describe: 'The command and its arguments (default: a login shell)' },
  settings: 'fleet',
  ownsOutput: true,
  exits: programExits,
  async run(context) {
    const { args, programIO } = context;
    checkWords(args.rest);
    const { stdin, stdout } = programIO().isTerminal;
    return await runOnDroplets(context, args, { terminal: stdin && stdout }, loggedIn(args.rest));
  },
});
