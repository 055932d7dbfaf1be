// Start-up: the command's own time before it does anything, against a bare Node process in the same run.
import { execFileSync } from 'node:child_process';
import { MAIN, median, openFleet } from './fleet.mjs';
import { traces, underWay } from './traces.mjs';

export function measureStartUp(rounds = 15) {
  const cases = { 'node -e 0': ['-e', '0'], '--help': [MAIN, '--help'], 'heal --help': [MAIN, 'heal', '--help'] };
  const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  // In turn, so that a machine that changes its speed changes it for all.
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, args] of Object.entries(cases)) {
      const started = performance.now();
      execFileSync(process.execPath, args);
      times[name].push(performance.now() - started);
    }
  }
  const base = median(times['node -e 0']);
  return Object.entries(times).map(([name, values]) => ({
    command: name,
    'median ms': Math.round(median(values)),
    'times bare node': (median(values) / base).toFixed(2),
  }));
}

/** `status` of three sandbox droplets: how much of its time no API call and no SSH command was under way. */
export async function measureStatus(rounds = 5) {
  const fleet = await openFleet();
  try {
    const runs = [];
    for (let round = 0; round < rounds; round += 1) {
      const end = await fleet.run(['status', 'sandbox', '--json', '--verbose']);
      if (end.code !== 0) throw new Error(`status failed: ${end.stdout.slice(-1500)} ${end.stderr}`);
      runs.push({ ms: end.ms, network: underWay(traces(end.events)) });
    }
    return [
      {
        command: 'status, 3 droplets',
        'median ms': Math.round(median(runs.map(({ ms }) => ms))),
        'of it waiting for API and SSH': Math.round(median(runs.map(({ network }) => network))),
        'its own': Math.round(median(runs.map(({ ms, network }) => ms - network))),
      },
    ];
  } finally {
    await fleet.close();
  }
}
