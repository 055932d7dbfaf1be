import { defineCommand } from '../../cli/define-command.js';
import { changeOptions, confirmOption, environment, namedDroplet, rolloutExits } from '../../cli/options.js';
import { ifConfirmed } from '../shared/confirm.js';

export default defineCommand({
  name: 'droplet in',
  topic: 'operate',
  summary: 'Bring back a droplet that was taken out of rotation',
  description:
    'It gets the release of the fleet if it runs another one, passes the checks of a deploy, and joins the\nbalancer. If a check fails it stays out.',
  examples: [
    ['droplet in production web-2', 'bring it back, on the release that the fleet runs now'],
    ['droplet in production web-2 --wait-lock 10m', 'wait while a deploy is running'],
  ],
  positionals: { environment, droplet: namedDroplet },
  options: { ...confirmOption, ...changeOptions },
  rolls: true,
  settings: 'images',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, roll } = context;
    const { droplet } = args;
    return await ifConfirmed(
      context,
      settings,
      `Bring ${droplet} of ${args.environment} back into rotation?`,
      async () => {
        const { bringBack } = await import('../../deploy/rollouts/droplet-out-and-in.js');
        return await roll(settings, args, (on, options) => bringBack(on, { ...options, droplet }));
      },
    );
  },
});
