import { defineCommand } from '../../cli/define-command.js';
import { EXIT } from '../../cli/exit-codes.js';
import { confirmExits, confirmOption, environment, protectedOption } from '../../cli/options.js';
import { whoDeploys } from '../../cli/who.js';
import { confirmation } from '../shared/confirm.js';
import { locksEnd } from '../shared/locks-end.js';

export default defineCommand({
  name: 'lock break',
  topic: 'repair',
  summary: 'Stop a running deploy by taking its lock',
  description: 'The running deploy stops before its next change. A lock whose deploy was killed ends by itself.',
  examples: [
    ['lock break production', 'ask, then break the lock on every droplet'],
    ['lock break production --yes', 'break it without asking'],
  ],
  positionals: { environment },
  options: { ...confirmOption, ...protectedOption },
  settings: 'fleet',
  exits: confirmExits,
  async run(context) {
    const { args, settings, env, ports } = context;
    const question = `Break the deploy lock on ${args.environment}? The running deploy will stop.`;
    const confirm = confirmation(context, { ...settings, confirm: true });
    if (confirm !== undefined && !(await confirm(question))) {
      return { exit: EXIT.interrupted };
    }
    const { breakLocks } = await import('../../deploy/inspect/read-locks.js');
    return locksEnd(args.environment, await breakLocks(await ports(settings), settings, whoDeploys(env)));
  },
});
