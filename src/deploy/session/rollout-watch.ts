/** What a rollout watches besides the droplets in hand: in a pause and a bake, the droplets that have got the release. */
import type { DeployError } from '../../errors.js';
import { reportTo } from '../core/report.js';
import type { Member } from '../droplet/member.js';
import type { Run } from '../steps/run.js';
import { DropletWatch, type Sick } from './watch-droplets.js';

export class RolloutWatch {
  readonly #run: Run;
  readonly #interrupted: AbortSignal;
  readonly #droplets: DropletWatch;

  constructor(run: Run, interrupted: AbortSignal) {
    this.#run = run;
    this.#interrupted = interrupted;
    this.#droplets = new DropletWatch(run);
  }

  /** @param onFailure called at most once, for what fails by itself */
  start(_onFailure: (error: DeployError) => void): void {}

  /**
   * Lets the time pass and watches the droplets meanwhile. Throws DeployError lease-lost.
   * @param signal ends it
   * @returns the first that fell sick
   */
  async rest(
    rest: 'pause' | 'bake',
    members: readonly Member[],
    ms: number,
    signal: AbortSignal,
  ): Promise<Sick | undefined> {
    const { ports } = this.#run;
    const report = reportTo(ports);
    const began = ports.clock.now();
    report({ type: 'rest-started', rest, ms });
    const sick = await this.#droplets.watch(members, ms, signal, this.#interrupted);
    if (sick !== undefined) report({ type: 'watch-failed', error: sick.error.info() });
    report({ type: 'rest-finished', rest, ms: ports.clock.now() - began });
    return sick;
  }
}
