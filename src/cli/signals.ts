import { type EventEmitter, setMaxListeners } from 'node:events';
import type { Clock } from '../ports.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * npm and npx pass Ctrl-C on to a command that has had it from the terminal already: a signal that follows this
 * closely is the same one.
 */
const ECHO_MS = 1000;

export interface Signals {
  /** Bring the droplet in hand to a safe end. The reason is the signal's name, or that of `interrupt`. */
  interrupted: AbortSignal;
  /** Stop at once. */
  aborted: AbortSignal;
  /** Interrupts without a signal of the user. */
  interrupt(reason: Error): void;
  /** Gives the signals back to their default: the process ends. */
  dispose(): void;
}

/** The first signal interrupts, the second aborts, the third ends the process immediately. */
export function listenForSignals(process: EventEmitter, clock: Clock): Signals {
  const interrupted = new AbortController();
  const aborted = new AbortController();
  // Everything that waits in a rollout listens to them; Node would take that for a leak.
  setMaxListeners(0, interrupted.signal, aborted.signal);
  let firstAt = 0;

  const onSignal = (signal: NodeJS.Signals) => {
    if (!interrupted.signal.aborted) {
      firstAt = clock.now();
      interrupted.abort(signal);
    } else if (clock.now() - firstAt >= ECHO_MS) {
      dispose();
      aborted.abort(signal);
    }
  };
  const dispose = () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const interrupt = (reason: Error) => interrupted.abort(reason);
  return { interrupted: interrupted.signal, aborted: aborted.signal, interrupt, dispose };
}
