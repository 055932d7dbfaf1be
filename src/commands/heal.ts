import { defineCommand } from '../cli/define-command.js';
import { changeOptions, confirmOption, environment, rolloutExits } from '../cli/options.js';
import { count } from '../reporters/text.js';
import { ifConfirmed } from './shared/confirm.js';

export default defineCommand({
  name: 'heal',
  topic: 'repair',
  summary: 'Put back droplets that a run left out of rotation',
  description:
    'Repairs what a killed, failed or interrupted run left behind, each droplet on a release that it holds. Droplets\nthat serve keep their release: heal does not finish a rollout that was stopped.',
  examples: [
    ['heal production', 'repair what an earlier run left out of rotation or half-changed'],
    ['heal production --wait-lock 10m', 'wait while another deploy is running'],
  ],
  positionals: { environment },
  options: { ...confirmOption, ...changeOptions },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  async run(context) {
    const { args, settings, show, ports, roll } = context;
    const { findRepairs, heal } = await import('../deploy/rollouts/heal.js');
    let confirmed: Awaited<ReturnType<typeof findRepairs>> | undefined;
    const question = async () => {
      confirmed = await findRepairs(await ports(settings), { settings });
      const { repairs } = confirmed;
      if (repairs.length === 0) return undefined;
      show({ type: 'text', lines: repairs.map(({ sentence }) => `  ${sentence}`) });
      return `Repair ${count(repairs.length, 'droplet')} of ${args.environment}?`;
    };
    return await ifConfirmed(context, settings, question, () =>
      roll(settings, args, (on, options) => heal(on, { ...options, confirmed })),
    );
  },
});
