import { z } from 'zod';

/** What can go wrong with one droplet. Can be changed at any time. */
const dropletFaults = z.strictObject({
  /**
   * `refuse`: nothing listens; open connections continue. `black-hole`: new connections are accepted and never answered,
   * open ones fall silent in both directions and resume when the fault is cleared.
   */
  ssh: z.enum(['up', 'refuse', 'black-hole']),
  /** Added to every round trip, in ms. */
  sshLatencyMs: z.number().min(0),
  /** Rejects every key. */
  authRefused: z.boolean(),
  /** Presents another host key. */
  hostKeyChanged: z.boolean(),
  /** Delay before every command, in ms. */
  execDelayMs: z.number().min(0),
  /**
   * A lost connection sends SIGHUP to its commands. sshd does so only for a terminal: without one, commands continue and
   * notice the loss when they read or write.
   */
  hangUpOnDisconnect: z.boolean(),
  /** Docker's client cannot reach the daemon. Containers keep running, as with live-restore. */
  daemonDown: z.boolean(),
  /** Writes, uploads and pulls fail, and df reports a full disk. */
  diskFull: z.boolean(),
  /** What df reports as free, in MB; null: what the disk has. */
  diskFreeMb: z.int().min(0).nullable(),
  /** The registry's answer to this droplet: `missing` knows no manifest, `denied` requires a login. */
  pull: z.enum(['ok', 'missing', 'denied']),
  /** Delay of every image pull, in ms. */
  pullDelayMs: z.number().min(0),
});

export type DropletFaults = z.infer<typeof dropletFaults>;

export const NO_FAULTS: Readonly<DropletFaults> = {
  ssh: 'up',
  sshLatencyMs: 0,
  authRefused: false,
  hostKeyChanged: false,
  execDelayMs: 0,
  hangUpOnDisconnect: false,
  daemonDown: false,
  diskFull: false,
  diskFreeMb: null,
  pull: 'ok',
  pullDelayMs: 0,
};

/** Validates faults from the control endpoint. Throws an Error that lists the invalid ones. */
export function parseDropletFaults(values: Record<string, unknown>): Partial<DropletFaults> {
  const parsed = dropletFaults.partial().safeParse(values);
  if (!parsed.success) throw new Error(`invalid droplet fault: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
