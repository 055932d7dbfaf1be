import type { RunningCommand } from './command.js';
import type { Fleet } from './fleet.js';

/**
 * Records how many droplets the balancer uses when a deploy considers a droplet drained or settled. Returns a function that
 * reads the records, sorted.
 */
export function watchGates(fleet: Fleet, deploy: RunningCommand): () => Promise<string[]> {
  const records: Promise<string>[] = [];
  const names = new Map([
    ['drain', 'drained'],
    ['settle', 'settled'],
  ]);
  deploy.onEvent((event) => {
    const gate = event.type === 'step-finished' ? names.get(event.step) : undefined;
    if (gate) records.push(fleet.balancer.up().then((up) => `${gate}: ${up.length} up`));
  });
  return async () => (await Promise.all(records)).sort();
}
