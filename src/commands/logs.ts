import { duration, flag, integer, regularExpression, text } from '../cli/arguments.js';
import { defineCommand } from '../cli/define-command.js';
import { EXIT } from '../cli/exit-codes.js';
import { dropletOptions, environment } from '../cli/options.js';
import { OutputGone } from '../cli/screen.js';
import type { DeployError } from '../errors.js';

const TAIL = 100;
const MOST_LINES = 1_000_000;

export default defineCommand({
  name: 'logs',
  topic: 'look',
  summary: 'Show the logs of all droplets, merged by time',
  description:
    'With --follow it keeps going through deploys: it picks up new containers and new droplets. Secrets that do-deploy\nknows are masked, and control characters are removed.',
  examples: [
    ['logs production', 'the last 100 lines of each container'],
    ['logs production app -f --grep timeout', 'follow the app, but show only these lines'],
    ['logs production --since 10m --json', 'the last ten minutes, one JSON object per line'],
  ],
  positionals: { environment, service: text({ describe: 'A service of the compose files (default: all)' }) },
  options: {
    follow: flag({ alias: 'f', describe: 'Keep printing new lines until Ctrl-C' }),
    since: duration({ describe: 'Lines of the last 10m, 2h …', example: '10m' }),
    tail: integer({
      describe: 'Most lines of each container; with --since, all of them',
      min: 1,
      max: MOST_LINES,
      default: TAIL,
    }),
    grep: regularExpression({ describe: 'Only lines that match' }),
    droplet: text({ value: 'NAME', describe: 'Only this droplet, by its name or id' }),
    role: dropletOptions.role,
  },
  settings: 'fleet',
  exits: { [EXIT.interrupted]: 'interrupted' },
  async run({ args, settings, ports, signals, show, note, programIO }) {
    const { service, follow, since, tail, grep, droplet, role } = args;
    const { interrupted } = signals();
    const [{ readLogs }, wired] = await Promise.all([import('../deploy/operate/logs/read-logs.js'), ports(settings)]);
    const io = programIO();
    const errors: DeployError[] = [];
    const colors = new Map<string, number>();
    let width = 0;
    const from = since > 0 ? { seconds: Math.ceil(since / 1_000) } : { tail };
    try {
      await readLogs(
        wired,
        settings,
        { service, follow, from, grep, droplet, role },
        {
          show(line) {
            const color = colors.get(line.droplet) ?? colors.size;
            colors.set(line.droplet, color);
            width = Math.max(width, line.droplet.length + 1 + line.service.length);
            show({ type: 'log', line, place: { color, width } });
            // It returns when what was shown is on its way.
            return io.stdout('');
          },
          tell(error) {
            if (follow) note(`${error.message}${error.hint === undefined ? '' : ` ${error.hint}`}`);
            else errors.push(error);
          },
        },
        interrupted,
      );
    } catch (error) {
      // As with `| head`.
      if (!(error instanceof OutputGone)) throw error;
    }
    if (interrupted.aborted && !follow) return { exit: EXIT.interrupted };
    return { exit: errors.length > 0 ? EXIT.failed : EXIT.ok, errors };
  },
});
