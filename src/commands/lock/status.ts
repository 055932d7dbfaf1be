import { defineCommand } from '../../cli/define-command.js';
import { environment } from '../../cli/options.js';
import { locksEnd } from '../shared/locks-end.js';

export default defineCommand({
  name: 'lock status',
  topic: 'repair',
  summary: 'Show whether a deploy is running, and whose',
  examples: [
    ['lock status production', 'show the deploy lock of each droplet'],
    ['lock status production --json', 'print it as JSON'],
  ],
  positionals: { environment },
  settings: 'fleet',
  async run({ args, settings, ports }) {
    const { readLocks } = await import('../../deploy/inspect/read-locks.js');
    return locksEnd(args.environment, await readLocks(await ports(settings), settings));
  },
});
