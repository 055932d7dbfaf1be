import { defineCommand } from '../cli/define-command.js';
import { freezeOption } from '../cli/options.js';
import { endCanary, ofEndings } from './shared/end-canary.js';

export default defineCommand({
  ...ofEndings,
  name: 'promote',
  topic: 'deploy',
  summary: 'Deploy a held canary to the rest of the fleet',
  description: 'The release is on every droplet already, so neither project files nor a registry are needed.',
  examples: [
    ['promote production', 'roll the canary out to the droplets that do not run it'],
    ['promote production --yes', 'do not ask, as in CI'],
  ],
  options: { ...ofEndings.options, ...freezeOption },
  run: (context) => endCanary(context, 'promote'),
});
