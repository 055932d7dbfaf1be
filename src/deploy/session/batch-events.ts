/** When the events of layers are raised around the steps of a batch: before_leave, after_rejoin and after_batch. */
import { asDeployError } from '../../errors.js';
import type { PlannedStep } from '../../rollout/courses.js';
import type { Action } from '../../rollout/planner.js';
import type { RolloutState } from '../../rollout/rollout-state.js';
import { type ReportingPorts, warn } from '../core/report.js';

/** Raise the events; they throw what a handler throws. */
export interface Raisers {
  beforeLeave(droplet: string): Promise<void>;
  /** Never throws. */
  afterRejoin(droplet: string): Promise<void>;
  afterBatch(batch: number): Promise<void>;
}

/**
 * The steps that take a droplet from what it serves; the first of them depends on how it was found. It is marked out before:
 * if the run dies in between, heal takes care of what layers have stopped on it.
 */
const LEAVING: ReadonlySet<PlannedStep> = new Set(['leave', 'switch']);

export class BatchEvents {
  readonly #raise: Raisers;
  readonly #ports: ReportingPorts;
  readonly #nameOf: (droplet: number) => string;
  /** Droplets whose before_leave was raised, and whose after_rejoin was not. */
  readonly #prepared = new Set<number>();
  /** The last batch whose after_batch was raised. */
  #closed: number;

  /** @param closed batches that were closed before, by another part of the rollout */
  constructor(ports: ReportingPorts, raise: Raisers, nameOf: (droplet: number) => string, closed: number) {
    this.#raise = raise;
    this.#ports = ports;
    this.#nameOf = nameOf;
    this.#closed = closed;
  }

  /**
   * Raises before_leave when the droplet is about to change for the first time, or again after it has rejoined. On its way
   * back a failure is only a warning: it must not keep a droplet on a release that failed.
   * @returns whether it was raised
   */
  async leaving({ droplet, step, towards }: Extract<Action, { kind: 'step' }>): Promise<boolean> {
    if (!LEAVING.has(step) || this.#prepared.has(droplet)) return false;
    this.#prepared.add(droplet);
    const name = this.#nameOf(droplet);
    try {
      await this.#raise.beforeLeave(name);
    } catch (error) {
      if (towards === 'new') throw error;
      warn(this.#ports, asDeployError(error).message, name);
    }
    return true;
  }

  async rejoined(droplet: number): Promise<void> {
    if (this.#prepared.delete(droplet)) await this.#raise.afterRejoin(this.#nameOf(droplet));
  }

  /**
   * Raises what is left of a batch's events: after_rejoin of droplets that have stayed in rotation after all, then
   * after_batch. Throws what its handler throws, which is then the rollout's failure, except while the fleet goes back.
   */
  async close({ batch, droplets, takingBack }: RolloutState): Promise<void> {
    if (batch === this.#closed) return;
    this.#closed = batch;
    for (const { id, course } of droplets) if (course === 'returned') await this.rejoined(id);
    try {
      await this.#raise.afterBatch(batch);
    } catch (error) {
      if (!takingBack) throw error;
      warn(this.#ports, asDeployError(error).message);
    }
  }
}
