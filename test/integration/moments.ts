/** Moments of a running command, told by its events. */
import type { DeployEvent } from '../../src/rollout/model.js';
import type { RunningCommand } from './sandbox-fleet.js';

/**
 * Resolves in the very moment in which the event is read: what the caller does in `act` comes before anything else.
 * Rejects when the command ends without it.
 */
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

/** The step begins on the droplet; `finish` begins for all at once. */
export function begins(step: string, droplet: string): (event: DeployEvent) => boolean {
  if (step === 'finish') return (event) => event.type === 'phase-started' && event.phase === 'finish';
  return (event) => event.type === 'step-started' && event.step === step && event.droplet === droplet;
}
