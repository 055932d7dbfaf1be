import { required, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { changeOptions, confirmOption, environment, rolloutExits, skipOptions } from '../cli/options.js';
import { ifConfirmed } from './shared/confirm.js';

export default defineCommand({
  name: 'start',
  topic: 'operate',
  summary: 'Start a service that was stopped, one batch at a time',
  description:
    'Through the same steps and checks as a deploy, so no request fails. The service starts with the release that\neach droplet runs.',
  examples: [
    ['start production worker', 'start the jobs again'],
    ['start production worker --wait-lock 10m', 'wait while a deploy is running'],
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
    return await ifConfirmed(context, settings, `Start ${service} on ${args.environment}?`, async () => {
      const { start } = await import('../deploy/rollouts/restart.js');
      return await roll(settings, args, (on, options) => start(on, { ...options, service }));
    });
  },
});
