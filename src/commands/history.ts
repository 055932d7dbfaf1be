import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { environment } from '../cli/options.js';

export default defineCommand({
  name: 'history',
  topic: 'look',
  summary: 'Show who deployed what, when, and how it ended',
  description: 'Each line also shows the CI run, the duration and the failed requests of the availability probe.',
  examples: [
    ['history production', 'show the rollouts of production, newest first'],
    ['history production --json', 'print one JSON object per rollout'],
  ],
  positionals: { environment },
  settings: 'fleet',
  async run({ settings, ports }) {
    const { readHistory } = await import('../deploy/inspect/read-history.js');
    const { entries, unreachable } = await readHistory(await ports(settings), settings);
    return {
      exit: unreachable.length > 0 ? EXIT.failed : EXIT.ok,
      output: { type: 'history', entries },
      notes: unreachable.map((droplet) => `${droplet} is unreachable: its part of the history is missing.`),
    };
  },
});
