import { defineCommand } from '../cli/define-command.js';
import { endCanary, ofEndings } from './shared/end-canary.js';

export default defineCommand({
  ...ofEndings,
  name: 'abort',
  topic: 'deploy',
  summary: 'Take a held canary back to the release of the fleet',
  description: 'Only the droplets of the canary change. Neither project files nor a registry are needed.',
  examples: [
    ['abort production', 'bring the droplets of the canary back to the release that the others run'],
    ['abort production --yes', 'do not ask, as in CI'],
  ],
  run: (context) => endCanary(context, 'abort'),
});
