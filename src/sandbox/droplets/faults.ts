import type { DockerFaults } from '../docker/engine.js';

/** What can go wrong with one droplet. All can be changed at any time. */
export interface DropletFaults extends DockerFaults {
  /**
   * `refuse`: nothing listens, live connections go on. `black-hole`: connections are accepted and never answered, live
   * ones fall silent in both directions, and go on where they were when it is over.
   */
  ssh: 'up' | 'refuse' | 'black-hole';
  /** Added to every round trip. */
  sshLatencyMs: number;
  /** No key is accepted. */
  authRefused: boolean;
  /** Shows a host key that is not the droplet's. */
  hostKeyChanged: boolean;
  /** Every command starts this much later. */
  execDelayMs: number;
  /**
   * A lost connection sends SIGHUP to the commands it ran. sshd does so only for a terminal: without one, commands run
   * on and notice the loss when they read or write.
   */
  hangUpOnDisconnect: boolean;
}

export const NO_FAULTS: Readonly<DropletFaults> = {
  ssh: 'up',
  sshLatencyMs: 0,
  authRefused: false,
  hostKeyChanged: false,
  execDelayMs: 0,
  hangUpOnDisconnect: false,
  daemonDown: false,
  diskFull: false,
  pull: 'ok',
  pullDelayMs: 0,
};

const CHOICES: Record<string, readonly string[]> = {
  ssh: ['up', 'refuse', 'black-hole'],
  pull: ['ok', 'missing', 'denied'],
};

/** Faults as they come from outside. Throws an Error that names what is wrong. */
export function parseDropletFaults(values: Record<string, unknown>): Partial<DropletFaults> {
  for (const [name, value] of Object.entries(values)) {
    if (!(name in NO_FAULTS)) throw new Error(`${name}: a droplet's faults are ${Object.keys(NO_FAULTS).join(', ')}`);
    const standard = NO_FAULTS[name as keyof DropletFaults];
    const choices = CHOICES[name];
    if (choices !== undefined && !choices.includes(String(value))) {
      throw new Error(`${name} must be one of ${choices.join(', ')}`);
    }
    if (typeof value !== typeof standard) throw new Error(`${name} must be a ${typeof standard}`);
    if (typeof value === 'number' && !(value >= 0)) throw new Error(`${name} must be at least 0`);
  }
  return values;
}
