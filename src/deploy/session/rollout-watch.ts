/** What a rollout watches besides the droplets in hand: gates, the public address, and in a pause and a bake the droplets that have got the release. */
import type { GateSettings } from '../../config/settings.js';
import { inWords } from '../../durations.js';
import type { DeployError } from '../../errors.js';
import type { Probes } from '../../rollout/model.js';
import { inform, reportTask, reportTo } from '../core/report.js';
import { untilAborted } from '../core/until-aborted.js';
import type { Member } from '../droplet/member.js';
import type { Run } from '../steps/run.js';
import { type AvailabilityWatch, type Probe, watchAvailability } from './availability.js';
import { DropletWatch, type Sick } from './watch-droplets.js';
import { type GateWatch, type WatchedGates, watchGates } from './watch-gates.js';

export interface Watched extends Pick<GateWatch, 'gates' | 'variables' | 'askedAt'> {
  probe?: Probe;
  /** What the probe has found so far, of the roles before. */
  before?: Pick<Probes, 'total' | 'failed'>;
}

export class RolloutWatch {
  readonly #run: Run;
  readonly #interrupted: AbortSignal;
  readonly #droplets: DropletWatch;

  readonly #watched: Watched;
  readonly #ended = new AbortController();
  #gates: WatchedGates | undefined;
  #availability: AvailabilityWatch | undefined;

  constructor(run: Run, watched: Watched, interrupted: AbortSignal) {
    this.#run = run;
    this.#watched = watched;
    this.#interrupted = interrupted;
    this.#droplets = new DropletWatch(run);
  }

  /** @param onFailure called at most once, when a gate or the probe has failed */
  start(onFailure: (error: DeployError) => void): void {
    const { ports } = this.#run;
    let isTold = false;
    const tell = (error: DeployError) => {
      if (isTold || this.#interrupted.aborted) return;
      isTold = true;
      reportTo(ports)({ type: 'watch-failed', error: error.info() });
      onFailure(error);
    };
    const { gates, variables, askedAt, probe } = this.#watched;
    if (probe !== undefined) this.#availability = watchAvailability(ports, probe, tell, this.#tellCounts);
    // After an interruption what is in hand is brought to its end: nothing that is asked changes that.
    const signal = AbortSignal.any([this.#ended.signal, this.#interrupted]);
    if (gates.length > 0) inform(ports, `Asking ${gates.map(describe).join(', ')}.`);
    this.#gates = watchGates(ports, { gates, variables, askedAt, onFailure: tell, signal });
  }

  readonly #tellCounts = ({ total, failed, slowestMs }: Pick<Probes, 'total' | 'failed' | 'slowestMs'>): void => {
    const { before = { total: 0, failed: 0 } } = this.#watched;
    reportTo(this.#run.ports)({
      type: 'probed',
      total: before.total + total,
      failed: before.failed + failed,
      slowestMs,
    });
  };

  /**
   * Resolves when it is known how the probes that are under way end: the last of them may be the one too many that fails.
   * @param isGood nothing has failed so far: a gate that has begun to say no is asked until it is decided
   */
  async settle(isGood: boolean): Promise<void> {
    await Promise.all([this.#availability?.settle(), isGood ? this.#decide('end') : undefined]);
  }

  async #decide(when: 'boundary' | 'end'): Promise<void> {
    const gates = this.#gates;
    if (gates !== undefined) await reportTask(this.#run.ports, 'ask-gates', () => gates.decide(when));
  }

  /** Nothing is asked any more. Resolves to what the probe has found. */
  async stop(): Promise<Probes | undefined> {
    this.#ended.abort();
    await this.#gates?.ended;
    return await this.#availability?.stop();
  }

  /** Which of these, that an observation has found sick, is so in fact. Throws DeployError lease-lost. */
  async verify(members: readonly Member[]): Promise<Sick | undefined> {
    return await this.#droplets.watch(members, 0, this.#ended.signal, this.#interrupted);
  }

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
    const watch = (forMs: number) => this.#droplets.watch(members, forMs, signal, this.#interrupted);
    let sick = await watch(ms);
    if (sick === undefined && !signal.aborted) {
      const decidedFrom = ports.clock.now();
      await untilAborted(this.#decide('boundary'), signal);
      // A gate that is not sure of its answer takes its time, in which a droplet can fall sick.
      if (ports.clock.now() > decidedFrom && !signal.aborted) sick = await watch(0);
    }
    if (sick !== undefined) report({ type: 'watch-failed', error: sick.error.info() });
    report({ type: 'rest-finished', rest, ms: ports.clock.now() - began });
    return sick;
  }
}

function describe({ name, everyMs }: GateSettings): string {
  return `gate ${name} every ${inWords(everyMs)}`;
}
