/** What a deployer has been told by the world, for judging whether it was right to do what it did. */

import { Control } from './control.js';

export interface BatchKnowledge {
  /** From 1. */
  batch: number;
  /** Its size, at the look. */
  fleet: number;
  /** Droplets that served at its look: shown in the balancer, and their check passed. */
  serving: Set<number>;
  /** Shown in the balancer, and could not be asked. */
  unasked: Set<number>;
  /** Droplets that it has taken out since. */
  left: Set<number>;
  /** Those that served in truth at its look or at the beginning of the batch. */
  trulyServing: Set<number>;
  /** Those that do not, and it could not know. */
  excused: Set<number>;
  /** Those that DigitalOcean showed behind the balancer. */
  members: Set<number>;
}

export class Knowledge {
  /** Members at the last answer of GET, and when (in the world's sequence). */
  members: { ids: Set<number>; at: number } | undefined;
  /** Where there are roles: those of the role without a balancer, at the last list of droplets. */
  workers: { ids: Set<number>; at: number } | undefined;
  /**
   * The last answer of the balancer's check on each droplet; `passed` is undefined when none came. `served`: the droplet
   * did so in truth when it was asked, whatever became of it while the answer was on its way.
   */
  readonly probes = new Map<number, { passed: boolean | undefined; served: boolean; at: number }>();
  /** When it last saw each droplet fail the check, in ms. */
  readonly failedChecks = new Map<number, number>();
  /** Its last change of anything. */
  lastChange = 0;
  batch: BatchKnowledge | undefined;
  /** The balancer's droplets, and those in the ledger, at its first look. */
  found: { members?: Set<number>; recorded?: Set<number>; listed?: Set<number> } = {};
  /** Droplets that it has connections to. */
  readonly fleet = new Set<number>();
  /** Droplets whose containers it has changed. */
  readonly touched = new Set<number>();
  /** Those that it began to switch, by name: whether it came to a change it may not know. */
  readonly switched = new Set<string>();
  /** The release that each droplet's step is about, by its name. */
  readonly towards = new Map<string, string | undefined>();
  /** The release has failed where it was to be deployed, before any interruption. */
  condemned = false;
  readonly control = new Control();
  /** It came to its finish: nothing has halted it. */
  finishing = false;
}
