import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { environment, freezeOption, protectedOption, rolloutExits, rolloutOptions } from '../cli/options.js';
import { confirmation } from './shared/confirm.js';

export default defineCommand({
  name: 'adopt',
  summary: 'Deploy the current release to new droplets',
  description:
    'Droplets that joined the fleet since the last deploy, or run something else, get the release of the fleet:\nthe one that was verified last, also after a deploy that was stopped. The other droplets stay as they are.\nNeeds no files of the project, so it can run nightly in CI.',
  examples: [
    ['adopt production', 'bring every droplet to the current release of the fleet'],
    ['adopt production --wait-lock 10m', 'wait while another deploy is running'],
  ],
  positionals: { environment },
  options: { ...rolloutOptions, ...freezeOption, ...protectedOption },
  rolls: true,
  settings: 'images',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, roll } = context;
    // Droplets that join must not wait for a yes: only a protected environment asks.
    const asking = { ...context, args: { ...args, yes: true } };
    const confirm = confirmation(asking, settings);
    if (confirm !== undefined && !(await confirm(`Bring the droplets of ${args.environment} to its release?`))) {
      return { exit: EXIT.interrupted, output: { type: 'text', lines: ['Nothing was changed.'] } };
    }
    const { adopt } = await import('../deploy/rollouts/adopt.js');
    return await roll(settings, args, adopt);
  },
});
