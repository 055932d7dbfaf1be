import { defineCommand } from '../cli/define-command.js';
import { changeOptions, environment, freezeOption, rolloutExits } from '../cli/options.js';
import { ifConfirmed } from './shared/confirm.js';

export default defineCommand({
  name: 'adopt',
  topic: 'repair',
  summary: 'Deploy the current release to new droplets',
  description:
    'Droplets that joined the fleet since the last deploy, or run something else, get the release of the fleet:\nthe one that was verified last, also after a deploy that was stopped. The other droplets stay as they are.\nNeeds no files of the project, so it can run nightly in CI.',
  examples: [
    ['adopt production', 'bring every droplet to the current release of the fleet'],
    ['adopt production --wait-lock 10m', 'wait while another deploy is running'],
  ],
  positionals: { environment },
  options: { ...changeOptions, ...freezeOption },
  rolls: true,
  settings: 'images',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, roll } = context;
    // Droplets that join must not wait for a yes: only a protected environment asks.
    const asking = { ...context, args: { ...args, yes: true } };
    return await ifConfirmed(
      asking,
      settings,
      `Bring the droplets of ${args.environment} to its release?`,
      async () => {
        const { adopt } = await import('../deploy/rollouts/adopt.js');
        return await roll(settings, args, adopt);
      },
    );
  },
});
