/** Waits for events of a running command. */
import type { DeployEvent } from '../../src/rollout/model.js';
import type { RunningCommand } from './sandbox-fleet.js';

/** Calls `act` synchronously when the event is read, then resolves. Rejects if the command ends without the event. */
export function when(
  run: RunningCommand,
  wanted: (event: DeployEvent) => boolean,
  act: () => void = () => {},
): Promise<DeployEvent> {
  return new Promise((resolve, reject) => {
    let found = false;
    const look = (event: DeployEvent) => {
      if (found || !wanted(event)) return;
      found = true;
      act();
      resolve(event);
    };
    for (const event of run.events) look(event);
    run.onEvent(look);
    run.ended.then(({ code, signal, stdout, stderr }) => {
      if (!found) reject(new Error(`it ended (${code ?? signal}) before that moment:\n${stdout}\n${stderr}`));
    }, reject);
  });
}

/** Matches the beginning of the step on the droplet; `finish` begins for all droplets together. */
export function begins(step: string, droplet: string): (event: DeployEvent) => boolean {
  if (step === 'finish') return (event) => event.type === 'phase-started' && event.phase === 'finish';
  return (event) => event.type === 'step-started' && event.step === step && event.droplet === droplet;
}
