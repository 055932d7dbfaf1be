import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { confirmOption, environment, protectedOption, rolloutExits, rolloutOptions } from '../cli/options.js';
import { count } from '../reporters/text.js';
import { confirmation } from './shared/confirm.js';

export default defineCommand({
  name: 'heal',
  summary: 'Put back droplets that a run left out of rotation',
  description:
    'Repairs what a killed, failed or interrupted run left behind, each droplet on a release that it holds. Droplets\nthat serve keep their release: heal does not finish a rollout that was stopped.',
  examples: [
    ['heal production', 'repair what an earlier run left out of rotation or half-changed'],
    ['heal production --wait-lock 10m', 'wait while another deploy is running'],
  ],
  positionals: { environment },
  options: { ...confirmOption, ...rolloutOptions, ...protectedOption },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, show, ports, roll } = context;
    const { findRepairs, heal } = await import('../deploy/rollouts/heal.js');
    const confirm = confirmation(context, settings);
    if (confirm === undefined) return await roll(settings, args, heal);
    const confirmed = await findRepairs(await ports(settings), { settings });
    if (confirmed.repairs.length > 0) {
      show({ type: 'text', lines: confirmed.repairs.map(({ sentence }) => `  ${sentence}`) });
      if (!(await confirm(`Repair ${count(confirmed.repairs.length, 'droplet')} of ${args.environment}?`))) {
        return { exit: EXIT.interrupted, output: { type: 'text', lines: ['Nothing was changed.'] } };
      }
    }
    return await roll(settings, args, (on, options) => heal(on, { ...options, confirmed }));
  },
});
