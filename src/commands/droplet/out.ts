import { text } from '../../cli/arguments.js';
import { defineCommand } from '../../cli/define-command.js';
import { changeOptions, confirmOption, environment, namedDroplet, rolloutExits } from '../../cli/options.js';
import { commandLine, usage } from '../../cli/usage-errors.js';
import { ifConfirmed } from '../shared/confirm.js';

export default defineCommand({
  name: 'droplet out',
  topic: 'operate',
  summary: 'Take a droplet out of rotation, until it is brought back',
  description:
    'It leaves the balancer and is drained; its containers stay as they are. Deploys, heal and all other\ncommands leave it out and say so, until droplet in brings it back.',
  examples: [
    ['droplet out production web-2 --reason failing-disk', 'take it out, and say why to whoever comes next'],
    ['droplet out production 412345678 --reason ticket-42', 'name it by its id'],
  ],
  positionals: { environment, droplet: namedDroplet },
  options: {
    reason: text({ describe: 'Why it is out: shown by status and by every deploy that leaves it out (required)' }),
    ...confirmOption,
    ...changeOptions,
  },
  rolls: true,
  settings: 'fleet',
  exits: rolloutExits,
  async run(context) {
    const { args, argv, settings, roll } = context;
    const { droplet, reason = '' } = args;
    if (reason.trim() === '') {
      throw usage('Say why it is taken out.', commandLine([...argv, '--reason', 'TEXT']));
    }
    return await ifConfirmed(context, settings, `Take ${droplet} of ${args.environment} out of rotation?`, async () => {
      const { takeOut } = await import('../../deploy/rollouts/droplet-out-and-in.js');
      return await roll(settings, args, (on, options) => takeOut(on, { ...options, droplet, reason }));
    });
  },
});
