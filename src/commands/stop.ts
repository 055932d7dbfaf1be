import { required, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { changeOptions, confirmOption, environment, rolloutExits, skipOptions } from '../cli/options.js';
import { ifConfirmed } from './shared/confirm.js';

export default defineCommand({
  name: 'stop',
  topic: 'operate',
  summary: 'Stop a service on every droplet, one batch at a time',
  description:
    'Through the same steps and checks as a deploy, so no request fails. The service stays stopped, also when the\nfleet is healed or restarted, until start or a deploy starts it again.',
  examples: [
    ['stop production worker', 'stop the jobs, and keep the app serving'],
    ['stop production worker --wait-lock 10m', 'wait while a deploy is running'],
  ],
  positionals: {
    environment,
    service: required(text({ describe: 'A service of the release' })),
  },
  options: { ...confirmOption, ...changeOptions, ...skipOptions },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, roll } = context;
    const { service } = args;
    return await ifConfirmed(context, settings, `Stop ${service} on ${args.environment}?`, async () => {
      const { stop } = await import('../deploy/rollouts/restart.js');
      return await roll(settings, args, (on, options) => stop(on, { ...options, service }));
    });
  },
});
