import { text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { changeOptions, confirmOption, environment, rolloutExits, skipOptions } from '../cli/options.js';
import { ifConfirmed } from './shared/confirm.js';

export default defineCommand({
  name: 'restart',
  topic: 'operate',
  summary: 'Restart the containers of every droplet, one batch at a time',
  description:
    'Goes through the steps and checks of a deploy, so no request fails. Every droplet keeps its release. If a restart\nfails, the droplet stays out of rotation: it does not go back to another release.',
  examples: [
    ['restart production', 'restart every service of the release'],
    ['restart production worker', 'restart only the containers of one service'],
  ],
  positionals: {
    environment,
    service: text({ describe: 'A service of the release (default: all)' }),
  },
  options: { ...confirmOption, ...changeOptions, ...skipOptions },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, roll } = context;
    const { service } = args;
    return await ifConfirmed(context, settings, `Restart ${service ?? 'the app'} on ${args.environment}?`, async () => {
      const { restart } = await import('../deploy/rollouts/restart.js');
      return await roll(settings, args, (on, options) => restart(on, { ...options, service }));
    });
  },
});
