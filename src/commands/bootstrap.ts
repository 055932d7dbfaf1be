import { flag, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT, exitCodeOfError } from '../cli/exit-codes.js';
import { confirmExits, environment, protectedOption } from '../cli/options.js';
import { ifConfirmed } from './shared/confirm.js';

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
    ...protectedOption,
  },
  settings: 'fleet',
  exits: { ...confirmExits, [EXIT.changes]: 'something is to be done (bootstrap --check)' },
  async run(context) {
    const { args, settings, ports } = context;
    const { check, droplet, role } = args;
    const prepare = async () => {
      const { bootstrap } = await import('../deploy/bootstrap/bootstrap.js');
      const { rows, errors } = await bootstrap(await ports(settings), settings, { check, droplet, role });
      const isOpen = check && rows.some(({ changes }) => changes.length > 0);
      const exit = errors.length > 0 ? Math.max(...errors.map(exitCodeOfError)) : isOpen ? EXIT.changes : EXIT.ok;
      return { exit, output: { type: 'bootstrap' as const, environment: settings.environment, check, rows }, errors };
    };
    // Elsewhere nothing is asked: it changes only what is missing.
    const asking = { confirm: false, isProtected: settings.isProtected && !check };
    const question = `Prepare the droplets of ${args.environment}?`;
    return await ifConfirmed({ ...context, args: { ...args, yes: false } }, asking, question, prepare);
  },
});
