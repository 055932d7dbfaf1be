import { flag, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT, exitCodeOfError } from '../cli/exit-codes.js';
import { environment } from '../cli/options.js';

export default defineCommand({
  name: 'bootstrap',
  topic: 'set-up',
  summary: 'Prepare fresh Debian or Ubuntu droplets for deploys',
  description:
    'Logs in as root and sets up the user that deploys, Docker Engine with the compose plugin, sshd without passwords,\na firewall, security updates, swap and time synchronisation. What is there already is left alone, so it can run again.',
  examples: [
    ['bootstrap production', 'prepare every droplet of the environment'],
    ['bootstrap production --check', 'only show what would change; exit code 5 if anything would'],
  ],
  positionals: { environment },
  options: {
    check: flag({ describe: 'Only show what would change' }),
    droplet: text({ value: 'NAME', describe: 'Only this droplet, by its name or id' }),
    role: text({ value: 'NAME', describe: 'Only droplets of this role' }),
  },
  settings: 'fleet',
  exits: { [EXIT.changes]: 'something is to be done (bootstrap --check)' },
  async run({ args, settings, ports }) {
    const { bootstrap } = await import('../deploy/bootstrap/bootstrap.js');
    const { check, droplet, role } = args;
    const { rows, errors } = await bootstrap(await ports(settings), settings, { check, droplet, role });
    const isOpen = check && rows.some(({ changes }) => changes.length > 0);
    const exit = errors.length > 0 ? Math.max(...errors.map(exitCodeOfError)) : isOpen ? EXIT.changes : EXIT.ok;
    return { exit, output: { type: 'bootstrap', environment: settings.environment, check, rows }, errors };
  },
});
