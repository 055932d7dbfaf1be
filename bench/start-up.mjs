// Start-up: how long a command takes by itself, against a bare Node process. Commands and bare runs take turns, so that a
// machine that changes its speed changes both.
import { execFileSync } from 'node:child_process';
import { MAIN, median, openFleet } from './fleet.mjs';
import { traces, underWay } from './traces.mjs';

/** Milliseconds that Node takes with these arguments. */
function time(args) {
  const started = performance.now();
  execFileSync(process.execPath, args);
  return performance.now() - started;
}

const BARE = ['-e', '0'];

/** @param {string[][]} commands words after `do-deploy` */
export function measureStartUp(commands, rounds = 15) {
  const cases = [['node -e 0', BARE], ...commands.map((words) => [words.join(' '), [MAIN, ...words]])];
  const times = cases.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, [, args]] of cases.entries()) times[index].push(time(args));
  }
  const bare = median(times[0]);
  return cases.map(([command], index) => ({
    command,
    'median ms': Math.round(median(times[index])),
    'times bare node': (median(times[index]) / bare).toFixed(2),
  }));
}

/** `status` of three sandbox droplets: the time in which neither an API call nor an SSH command was under way. */
export async function measureStatus(rounds = 9) {
  const fleet = await openFleet();
  try {
    const runs = [];
    for (let round = 0; round < rounds; round += 1) {
      const bare = time(BARE);
      const end = await fleet.run(['status', 'sandbox', '--json', '--debug']);
      if (end.code !== 0) throw new Error(`status failed: ${end.stdout.slice(-1500)} ${end.stderr}`);
      const waiting = underWay(traces(end.events));
      runs.push({ bare, ms: end.ms, waiting, own: end.ms - waiting });
    }
    const medianOf = (field) => median(runs.map((run) => run[field]));
    return [
      {
        command: 'status, 3 droplets',
        'median ms': Math.round(medianOf('ms')),
        'waiting for API and SSH': Math.round(medianOf('waiting')),
        'its own': Math.round(medianOf('own')),
        'own, times bare node': (medianOf('own') / medianOf('bare')).toFixed(2),
      },
    ];
  } finally {
    await fleet.close();
  }
}
