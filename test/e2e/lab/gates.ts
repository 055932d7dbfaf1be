import type { RunningCommand } from './command.js';
import type { Fleet } from './fleet.js';

/**
 * Notes what the balancer really does at the moments in which a deploy believes that it has let go of a droplet
 * (`drained`) or sends it traffic again (`settled`). Returns how to read the notes, sorted.
 */
export function watchGates(fleet: Fleet, deploy: RunningCommand): () => Promise<string[]> {
  const notes: Promise<string>[] = [];
  const names = new Map([
    ['drain', 'drained'],
    ['settle', 'settled'],
  ]);
  deploy.onEvent((event) => {
    const gate = event.type === 'step-finished' ? names.get(event.step) : undefined;
    if (gate) notes.push(fleet.balancer.up().then((up) => `${gate}: ${up.length} up`));
  });
  return async () => (await Promise.all(notes)).sort();
}
