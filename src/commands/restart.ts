import { text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import {
  confirmOption,
  environment,
  protectedOption,
  rolloutExits,
  rolloutOptions,
  skipOptions,
} from '../cli/options.js';
import { confirmation } from './shared/confirm.js';

export default defineCommand({
  name: 'restart',
  summary: 'Restart the containers of every droplet, one batch at a time',
  description:
    'Through the same steps and checks as a deploy, so no request fails. Every droplet keeps its release, and\none whose restart fails stays out of rotation: a restart goes to no other release.',
  examples: [
    ['restart production', 'restart every service of the release'],
    ['restart production worker', 'restart only the containers of one service'],
  ],
  positionals: {
    environment,
    service: text({ describe: 'A service of the release (default: all)' }),
  },
  options: { ...confirmOption, ...rolloutOptions, ...protectedOption, ...skipOptions },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, roll } = context;
    const { service } = args;
    const confirm = confirmation(context, settings);
    if (confirm !== undefined && !(await confirm(`Restart ${service ?? 'the app'} on ${args.environment}?`))) {
      return { exit: EXIT.interrupted, output: { type: 'text', lines: ['Nothing was changed.'] } };
    }
    const { restart } = await import('../deploy/rollouts/restart.js');
    return await roll(settings, args, (on, options) => restart(on, { ...options, service }));
  },
});
