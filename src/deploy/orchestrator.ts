/**
 * Walks a fleet through a rollout: decide → perform → record → report, until nothing is left to decide.
 *
 * What happens next is the planner's business (rollout/planner.ts); how it is done is a step's (steps/). This loop only
 * carries decisions to steps and outcomes back, and stops carrying when it is told to.
 */
import { asDeployError, DeployError } from '../errors.js';
import type { Evidence } from '../rollout/model.js';
import {
  type Action,
  begin,
  decide,
  type Occurrence,
  type PlannedStep,
  type RolloutState,
  record,
  upNext,
} from '../rollout/planner.js';
import { type Run, reportTo, type StepContext } from './context.js';
import type { ReleaseRecord } from './release.js';
import type { Site } from './site.js';
import { clearOut } from './steps/clear.js';
import { drain } from './steps/drain.js';
import { collectEvidence } from './steps/evidence.js';
import { awaitHealth } from './steps/health.js';
import { leaveRotation } from './steps/leave.js';
import { probe } from './steps/probe.js';
import { recordOut } from './steps/record.js';
import { rejoinRotation } from './steps/rejoin.js';
import { settle } from './steps/settle.js';
import { switchRelease } from './steps/switch.js';
import { listenAhead } from './watch-door.js';
import { lookAtWorld } from './world.js';

const STEPS = {
  record: recordOut,
  leave: leaveRotation,
  drain,
  switch: switchRelease,
  health: awaitHealth,
  probe,
  rejoin: rejoinRotation,
  settle,
  clear: clearOut,
} as const;

/**
 * Steps that change something: each asks for the lease first. So does the probe: to another run that listens at the door
 * by then it would look like the balancer.
 */
const UNDER_LEASE: ReadonlySet<PlannedStep> = new Set(['record', 'leave', 'switch', 'probe', 'rejoin', 'clear']);

/** After so long it is told again that a step waits for the same, in ms. */
const STILL_WAITING_MS = 2_000;

/** Failures that the release is to blame for: there going back helps. (The balancer was heard before; now it is silent.) */
export const RELEASE_FAULTS: ReadonlySet<string> = new Set([
  'start-failed',
  'unhealthy',
  'health-timeout',
  'probe-failed',
  'balancer-silent',
]);

export interface Rolled {
  state: RolloutState;
  /** The first failure of the rollout. */
  error?: DeployError;
  evidence: { droplet: string; evidence: Evidence }[];
}

export interface RollOptions {
  release: ReleaseRecord;
  /** By droplet: the release to go back to. */
  previous: ReadonlyMap<number, ReleaseRecord>;
  /** The first signal: bring the droplet in hand to a safe end. */
  interrupted: AbortSignal;
  /** The second, or the end of the grace: stop where you are. */
  aborted: AbortSignal;
  /** Told after every change of the state, for the table. */
  onState?: (state: RolloutState) => void;
}

export async function roll(
  run: Run,
  sites: readonly Site[],
  start: RolloutState,
  options: RollOptions,
): Promise<Rolled> {
  return await new Orchestrator(run, sites, start, options).run();
}

/** Compose says only that a container is not healthy; the containers say why. */
function explained(error: DeployError, evidence: Evidence): DeployError {
  if (error.code !== 'start-failed') return error;
  const cause = evidence.cause.charAt(0).toUpperCase() + evidence.cause.slice(1);
  return new DeployError(error.code, cause.replace(/\.?$/, '.'), {
    ...(error.hint !== undefined && { hint: error.hint }),
    ...(error.droplet !== undefined && { droplet: error.droplet }),
    ...(error.step !== undefined && { step: error.step }),
    cause: error,
  });
}

class Orchestrator {
  readonly #run: Run;
  readonly #sites: ReadonlyMap<number, Site>;
  readonly #options: RollOptions;
  readonly #report;
  readonly #evidence: Rolled['evidence'] = [];
  readonly #waits = new Map<number, AbortController>();
  #state: RolloutState;
  #error: DeployError | undefined;
  #inbox: Occurrence[] = [];
  #listening: { done: Promise<void>; stop: AbortController } | undefined;
  #wake: () => void = () => {};
  #performing = 0;

  constructor(run: Run, sites: readonly Site[], start: RolloutState, options: RollOptions) {
    this.#run = run;
    this.#sites = new Map(sites.map((site) => [site.droplet.id, site]));
    this.#state = start;
    this.#options = options;
    this.#report = reportTo(run.ports);
  }

  async run(): Promise<Rolled> {
    const { interrupted, aborted } = this.#options;
    const stopWatching = new AbortController();
    this.#onAbort(interrupted, () => this.#interrupt(), stopWatching.signal);
    this.#onAbort(aborted, () => this.#post({ kind: 'halted', code: 'aborted' }), stopWatching.signal);
    try {
      for (;;) {
        for (const action of decide(this.#state)) this.#begin(action);
        if (this.#inbox.length === 0 && (this.#performing === 0 || aborted.aborted)) {
          // A batch that was just started has steps to decide on.
          if (aborted.aborted || decide(this.#state).length === 0) break;
          continue;
        }
        await this.#next();
      }
    } finally {
      stopWatching.abort();
      this.#listening?.stop.abort();
    }
    return { state: this.#state, evidence: this.#evidence, ...(this.#error && { error: this.#error }) };
  }

  #onAbort(signal: AbortSignal, act: () => void, until: AbortSignal): void {
    if (signal.aborted) act();
    else signal.addEventListener('abort', act, { once: true, signal: until });
  }

  #post(occurrence: Occurrence): void {
    this.#inbox.push(occurrence);
    this.#wake();
  }

  /** Waits until something has happened, and records all that has. */
  async #next(): Promise<void> {
    if (this.#inbox.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const occurrence of inbox) this.#state = record(this.#state, occurrence);
    this.#endLostWaits();
    this.#options.onState?.(this.#state);
  }

  #interrupt(): void {
    this.#post({ kind: 'interrupted' });
  }

  /** A droplet that goes back as it is need not be drained to the end. */
  #endLostWaits(): void {
    for (const droplet of this.#state.droplets) {
      if (droplet.course === 'return' && !droplet.touched) this.#waits.get(droplet.id)?.abort();
    }
  }

  #begin(action: Action): void {
    this.#state = begin(this.#state, action);
    this.#options.onState?.(this.#state);
    if (action.kind === 'batch') {
      const droplets = action.droplets.map((id) => this.#site(id).host.name);
      const left = this.#state.droplets.filter((droplet) => droplet.course === 'waiting' && !droplet.gone).length;
      this.#report({ type: 'batch-started', batch: this.#state.batch, droplets, left });
      this.#listenAhead();
      return;
    }
    this.#performing += 1;
    const performed = action.kind === 'look' ? this.#look() : this.#perform(action);
    void performed.then((occurrence) => {
      this.#performing -= 1;
      this.#post(occurrence);
    });
  }

  /** Meanwhile those that go next are listened to: what comes to them need not be found out while others wait. */
  #listenAhead(): void {
    if (this.#listening !== undefined) return;
    const stop = new AbortController();
    this.#listening = { done: listenAhead(() => this.#upNext(), this.#run, stop.signal), stop };
  }

  #upNext(): Site[] {
    return upNext(this.#state).map((id) => this.#site(id));
  }

  /** Two readings of one door at a time could come in the wrong order. */
  async #endListening(): Promise<void> {
    this.#listening?.stop.abort();
    await this.#listening?.done;
    this.#listening = undefined;
  }

  async #look(): Promise<Occurrence> {
    await this.#endListening();
    try {
      const droplets = await lookAtWorld(this.#run, [...this.#sites.values()], this.#options.interrupted);
      return { kind: 'looked', droplets };
    } catch (error) {
      return { kind: 'look-failed', code: this.#keep(error).code };
    }
  }

  async #perform(action: Extract<Action, { kind: 'step' }>): Promise<Occurrence> {
    const { step } = action;
    const site = this.#site(action.droplet);
    const droplet = site.host.name;
    const { clock } = this.#run.ports;
    const started = clock.now();
    const context = this.#contextOf(action, droplet);
    this.#report({ type: 'step-started', droplet, step, ...(context.release && { release: context.release.id }) });
    try {
      if (UNDER_LEASE.has(step)) await this.#run.lease.ensure(action.droplet);
      const detail = step === 'evidence' ? await this.#examine(site, context) : await STEPS[step](site, context);
      this.#report({ type: 'step-finished', droplet, step, ms: clock.now() - started, ...(detail && { detail }) });
      return { kind: 'done', droplet: action.droplet };
    } catch (error) {
      const failure = this.#keep(asDeployError(error).at({ droplet, step }));
      this.#report({ type: 'step-failed', droplet, step, ms: clock.now() - started, error: failure.info() });
      if (failure.code === 'lease-lost') return { kind: 'halted', code: failure.code };
      const blame = RELEASE_FAULTS.has(failure.code) ? 'release' : 'world';
      return {
        kind: 'failed',
        droplet: action.droplet,
        failure: { step, code: failure.code, message: failure.message, blame },
      };
    } finally {
      this.#waits.delete(action.droplet);
    }
  }

  #contextOf(action: Extract<Action, { kind: 'step' }>, droplet: string): StepContext {
    const { release, previous } = this.#options;
    const wait = new AbortController();
    this.#waits.set(action.droplet, wait);
    return {
      ...this.#run,
      release:
        action.towards === 'new' ? release : action.towards === 'previous' ? previous.get(action.droplet) : undefined,
      signal: wait.signal,
      progress: this.#progressOf(droplet, action.step),
      others: () => this.#upNext(),
    };
  }

  /** Tells what is new at once, and from time to time what is not: that it is still waiting. */
  #progressOf(droplet: string, step: PlannedStep): (detail: string) => void {
    const { clock } = this.#run.ports;
    let told: { detail: string; at: number } | undefined;
    return (detail) => {
      const now = clock.now();
      if (told?.detail === detail && now - told.at < STILL_WAITING_MS) return;
      told = { detail, at: now };
      this.#report({ type: 'step-progress', droplet, step, detail });
    };
  }

  async #examine(site: Site, context: StepContext): Promise<undefined> {
    const evidence = await collectEvidence(site, context, this.#error?.message ?? 'unknown');
    this.#evidence.push({ droplet: site.host.name, evidence });
    this.#error = this.#error && explained(this.#error, evidence);
    this.#report({ type: 'evidence-collected', droplet: site.host.name, evidence });
  }

  /** Keeps the first error: what followed from it explains nothing. */
  #keep(error: unknown): DeployError {
    const failure = asDeployError(error);
    this.#error ??= failure;
    return failure;
  }

  #site(id: number): Site {
    const site = this.#sites.get(id);
    if (site === undefined) throw new Error(`no droplet ${id} in this rollout`);
    return site;
  }
}
