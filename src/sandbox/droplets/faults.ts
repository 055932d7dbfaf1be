import type { DockerFaults } from '../docker/engine.js';

/** What can go wrong with one droplet. Can be changed at any time. */
export interface DropletFaults extends DockerFaults {
  /**
   * `refuse`: nothing listens; open connections continue. `black-hole`: new connections are accepted and never answered,
   * open ones fall silent in both directions and resume when the fault is cleared.
   */
  ssh: 'up' | 'refuse' | 'black-hole';
  /** Added to every round trip, in ms. */
  sshLatencyMs: number;
  /** Rejects every key. */
  authRefused: boolean;
  /** Presents another host key. */
  hostKeyChanged: boolean;
  /** Delay before every command, in ms. */
  execDelayMs: number;
  /**
   * A lost connection sends SIGHUP to its commands. sshd does so only for a terminal: without one, commands continue and
   * notice the loss when they read or write.
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

/** Validates faults from the control endpoint. Throws an Error that names the invalid one. */
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
