/** Remote commands for the logs of an app's containers. */
import type { ProgramCommand, RemoteCommand } from '../../../ports.js';
import { command, quote } from '../../core/shell.js';

export interface LoggedContainer {
  id: string;
  service: string;
  running: boolean;
  /** When it last stopped, as Docker writes it: changes with every run. */
  finishedAt: string;
}

/** Bounds what one droplet may list. */
const MAX_CONTAINERS = 500;

/** Prints a line for each container of the app, stopped ones included. */
export function listLoggedCommand(app: string): RemoteCommand {
  const filters = [`com.docker.compose.project=${app}`, 'com.docker.compose.oneoff=False'];
  const listed = filters.map((label) => `--filter ${quote(`label=${label}`)}`).join(' ');
  const format =
    '{{.Id}} {{.State.Status}} {{.State.FinishedAt}} {{index .Config.Labels "com.docker.compose.service"}}';
  const lines = [
    `ids=$(timeout 20 docker ps -aq --no-trunc ${listed}) || exit 1`,
    // One that vanishes meanwhile makes it fail, after it has printed the others.
    `if [ -n "$ids" ]; then docker inspect --format ${quote(format)} $ids 2>/dev/null || :; fi`,
  ];
  return command('list-logged', { app }, lines, { reads: true });
}

export function readLogged(stdout: string): LoggedContainer[] {
  const found = stdout.split('\n').flatMap((line): LoggedContainer[] => {
    const [, id, status, finishedAt, service] = /^([0-9a-f]{12,64}) (\w+) (\S+) (\S+)$/.exec(line) ?? [];
    if (id === undefined || finishedAt === undefined || service === undefined) return [];
    return [{ id, service, running: status === 'running' || status === 'restarting', finishedAt }];
  });
  return found.slice(0, MAX_CONTAINERS);
}

/** From where on a container's log is read. `time`: as Docker writes it, that line included. */
export type LogStart = { time: string } | { seconds: number } | { tail: number } | 'beginning';

/** Prints the log, each line with its time; `follow` until the container stops. */
export function readLogCommand(container: string, from: LogStart, follow: boolean): ProgramCommand {
  const words = ['docker', 'logs', '--timestamps', ...(follow ? ['--follow'] : []), ...startWords(from), container];
  return { name: 'logs', args: { container, from, follow }, script: `exec ${words.map(quote).join(' ')}` };
}

function startWords(from: LogStart): string[] {
  if (from === 'beginning') return [];
  if ('time' in from) return ['--since', from.time];
  return 'tail' in from ? ['--tail', String(from.tail)] : ['--since', `${from.seconds}s`];
}
