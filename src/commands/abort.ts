import { defineCommand } from '../cli/define-command.js';
import {
  confirmOption,
  environment,
  migrateOption,
  protectedOption,
  rolloutExits,
  rolloutOptions,
} from '../cli/options.js';
import { endCanary } from './shared/end-canary.js';

export default defineCommand({
  name: 'abort',
  summary: 'Take a held canary back to the release of the fleet',
  description: 'Only the droplets of the canary change. Neither project files nor a registry are needed.',
  examples: [
    ['abort production', 'bring the droplets of the canary back to the release that the others run'],
    ['abort production --yes', 'do not ask, as in CI'],
  ],
  positionals: { environment },
  options: { ...confirmOption, ...rolloutOptions, ...protectedOption, ...migrateOption },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  run: (context) => endCanary(context, 'abort'),
});
