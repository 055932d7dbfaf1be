import { defineCommand } from '../cli/define-command.js';
import { environment, rolloutExits, rolloutOptions } from '../cli/options.js';

export default defineCommand({
  name: 'heal',
  summary: 'Put back droplets that a run left out of rotation',
  description: 'Droplets that a killed or failed run left behind return to a release that the whole fleet holds.',
  examples: [
    ['heal production', 'repair what an earlier run left out of rotation or half-changed'],
    ['heal production --wait-lock 10m', 'wait while another deploy is running'],
  ],
  positionals: { environment },
  options: rolloutOptions,
  settings: 'fleet',
  exits: rolloutExits,
  async run({ args, settings, roll }) {
    const { heal } = await import('../deploy/rollouts/heal.js');
    return await roll(settings, args, heal);
  },
});
