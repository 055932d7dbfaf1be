// Start-up: the command's own time before it does anything, against a bare Node process in the same run.
import { execFileSync } from 'node:child_process';
import { MAIN, median } from './fleet.mjs';

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
