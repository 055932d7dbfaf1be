/**
 * Walks a fleet through a rollout: decide -> perform -> record -> report, until nothing is left to decide.
 *
 * What happens next is the planner's decision (rollout/planner.ts); how it is done is a step's (steps/). This loop
 * carries decisions to steps and their results back.
 */

import { asDeployError, DeployError } from '../../errors.js';
import type { Evidence } from '../../rollout/model.js';
import {
  type Action,
  begin,
  decide,
  type Occurrence,
  type PlannedStep,
  type RolloutState,
  record,
  servingMeanwhile,
  upNext,
} from '../../rollout/planner.js';
import { reportTo } from '../core/report.js';
import type { Member } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';
import { awaitHealth } from '../steps/await-health.js';
import { awaitBalancerCheck } from '../steps/balancer-check.js';
import { clearMark } from '../steps/clear-mark.js';
import { collectEvidence } from '../steps/collect-evidence.js';
import { drain } from '../steps/drain-droplet.js';
import { leaveRotation } from '../steps/leave-rotation.js';
import { markOut } from '../steps/mark-out.js';
import { rejoinRotation } from '../steps/rejoin-rotation.js';
import type { Run, Step, StepContext, StepResult } from '../steps/run.js';
import { settle } from '../steps/settle.js';
import { switchRelease } from '../steps/switch-release.js';
import { observeFleet } from './observe-fleet.js';

/** Serving droplets to compare a leaving one with. More would prove little more. */
const OTHERS = 2;

const STEPS = {
  'mark-out': markOut,
  leave: leaveRotation,
  drain,
  switch: switchRelease,
  health: awaitHealth,
  'balancer-check': awaitBalancerCheck,
  rejoin: rejoinRotation,
  settle,
  clear: clearMark,
  evidence: collectEvidence,
} as const satisfies Record<PlannedStep, Step>;

/**
 * Steps that change something confirm the lease first. So does the balancer check: another run that listens to the
 * droplet would take it for the balancer's.
 */
const UNDER_LEASE: ReadonlySet<PlannedStep> = new Set([
  'mark-out',
  'leave',
  'switch',
  'balancer-check',
  'rejoin',
  'clear',
]);

/** Interval for repeating unchanged progress, in ms. */
const REPEAT_PROGRESS_MS = 2_000;

/** Failures caused by the release: going back helps. (`balancer-silent`: the balancer was heard before.) */
export const RELEASE_FAULTS: ReadonlySet<string> = new Set([
  'start-failed',
  'unhealthy',
  'health-timeout',
  'balancer-check-failed',
  'balancer-silent',
]);

export interface Rolled {
  state: RolloutState;
  /** The first failure of the rollout. */
  error?: DeployError;
  evidence: { droplet: string; evidence: Evidence }[];
}

export interface RollOptions {
  release: StoredRelease;
  /** The release to go back to, by droplet. */
  previous: ReadonlyMap<number, StoredRelease>;
  /** The first signal: brings the droplet in hand to a safe end. */
  interrupted: AbortSignal;
  /** The second signal, or the end of the grace period: stops immediately. */
  aborted: AbortSignal;
  /** Called after every change of the state, for the table. */
  onState?: (state: RolloutState) => void;
}

export async function roll(
  run: Run,
  members: readonly Member[],
  start: RolloutState,
  options: RollOptions,
): Promise<Rolled> {
  return await new Orchestrator(run, members, start, options).run();
}

/** Compose reports only that a container is not healthy; the containers' evidence says why. */
function explained(error: DeployError, evidence: Evidence): DeployError {
  if (error.code !== 'start-failed') return error;
  const cause = evidence.cause.charAt(0).toUpperCase() + evidence.cause.slice(1);
  return new DeployError(error.code, cause.replace(/\.?$/, '.'), {
    hint: error.hint,
    droplet: error.droplet,
    step: error.step,
    cause: error,
  });
}

class Orchestrator {
  readonly #run: Run;
  readonly #members: ReadonlyMap<number, Member>;
  readonly #options: RollOptions;
  readonly #report;
  readonly #evidence: Rolled['evidence'] = [];
  readonly #waits = new Map<number, AbortController>();
  #state: RolloutState;
  #error: DeployError | undefined;
  #inbox: Occurrence[] = [];
  #listening: { stop(): Promise<void> } | undefined;
  #wake: () => void = () => {};
  #performing = 0;

  constructor(run: Run, members: readonly Member[], start: RolloutState, options: RollOptions) {
    this.#run = run;
    this.#members = new Map(members.map((member) => [member.droplet.id, member]));
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
      void this.#listening?.stop();
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

  /** Waits for an occurrence, and records all that there are. */
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

  /** Ends waits of droplets that go back as they are: they need not be drained to the end. */
  #endLostWaits(): void {
    for (const droplet of this.#state.droplets) {
      if (droplet.course === 'return' && !droplet.touched) this.#waits.get(droplet.id)?.abort();
    }
  }

  #begin(action: Action): void {
    this.#state = begin(this.#state, action);
    this.#options.onState?.(this.#state);
    if (action.kind === 'batch') {
      const droplets = action.droplets.map((id) => this.#member(id).host.name);
      const left = this.#state.droplets.filter((droplet) => droplet.course === 'waiting' && !droplet.gone).length;
      this.#report({ type: 'batch-started', batch: this.#state.batch, droplets, left });
      this.#startListening();
      return;
    }
    this.#performing += 1;
    const performed = action.kind === 'observe' ? this.#observe() : this.#perform(action);
    void performed.then((occurrence) => {
      this.#performing -= 1;
      this.#post(occurrence);
    });
  }

  /** Listens to the droplets that go next, so that the balancer has been heard there when they leave, and to others. */
  #startListening(): void {
    if (this.#listening !== undefined) return;
    const next = () => upNext(this.#state).map((id) => this.#member(id));
    this.#listening = this.#run.contacts.startListening(next, () => this.#others());
  }

  /** To compare droplets in hand with. */
  #others(): Member[] {
    const members = servingMeanwhile(this.#state).flatMap((id) => this.#members.get(id) ?? []);
    return members.slice(0, OTHERS);
  }

  /** Two readings of one droplet at a time could arrive in the wrong order. */
  async #endListening(): Promise<void> {
    await this.#listening?.stop();
    this.#listening = undefined;
  }

  async #observe(): Promise<Occurrence> {
    await this.#endListening();
    try {
      const droplets = await observeFleet(this.#run, [...this.#members.values()], this.#options.interrupted);
      return { kind: 'observed', droplets };
    } catch (error) {
      return { kind: 'observe-failed', code: this.#keep(error).code };
    }
  }

  async #perform(action: Extract<Action, { kind: 'step' }>): Promise<Occurrence> {
    const { step } = action;
    const member = this.#member(action.droplet);
    const droplet = member.host.name;
    const { clock } = this.#run.ports;
    const started = clock.now();
    const context = this.#contextOf(action, droplet);
    this.#report({ type: 'step-started', droplet, step, ...(context.release && { release: context.release.id }) });
    try {
      if (UNDER_LEASE.has(step)) await this.#run.lease.ensure(action.droplet);
      const result = await STEPS[step](member, context);
      this.#learn(member, result);
      if (result.failure !== undefined) throw result.failure;
      const { detail } = result;
      this.#report({ type: 'step-finished', droplet, step, ms: clock.now() - started, detail });
      return { kind: 'done', droplet: action.droplet };
    } catch (error) {
      const failure = this.#keep(asDeployError(error).at({ droplet, step }));
      this.#report({ type: 'step-failed', droplet, step, ms: clock.now() - started, error: failure.info() });
      if (failure.code === 'lease-lost') return { kind: 'halted', code: failure.code };
      const blame = RELEASE_FAULTS.has(failure.code) ? 'release' : 'external';
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
      failure: this.#error?.message,
      progress: this.#progressOf(droplet, action.step),
      others: () => this.#others(),
    };
  }

  /** Reports new progress immediately, and unchanged progress at intervals. */
  #progressOf(droplet: string, step: PlannedStep): (detail: string) => void {
    const { clock } = this.#run.ports;
    let last: { detail: string; at: number } | undefined;
    return (detail) => {
      const now = clock.now();
      if (last?.detail === detail && now - last.at < REPEAT_PROGRESS_MS) return;
      last = { detail, at: now };
      this.#report({ type: 'step-progress', droplet, step, detail });
    };
  }

  /** Keeps what a step has learned about its droplet. */
  #learn(member: Member, { survey, services, evidence }: StepResult): void {
    member.survey = survey ?? member.survey;
    member.services = services ?? member.services;
    if (evidence === undefined) return;
    const droplet = member.host.name;
    this.#evidence.push({ droplet, evidence });
    this.#error = this.#error && explained(this.#error, evidence);
    this.#report({ type: 'evidence-collected', droplet, evidence });
  }

  /** Keeps the first error: later ones follow from it. */
  #keep(error: unknown): DeployError {
    const failure = asDeployError(error);
    this.#error ??= failure;
    return failure;
  }

  #member(id: number): Member {
    const member = this.#members.get(id);
    if (member === undefined) throw new Error(`no droplet ${id} in this rollout`);
    return member;
  }
}
