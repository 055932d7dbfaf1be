/**
 * Rolls a fleet: decide → perform → record → report, until there is nothing left to decide. The planner
 * (rollout/planner.ts) decides what happens next and the steps (steps/) do it; this loop passes decisions to steps and
 * their outcomes back.
 */

import { asDeployError, DeployError } from '../../errors.js';
import { type Failure, isInHand, type PlannedStep } from '../../rollout/courses.js';
import { isCheckFailure } from '../../rollout/diagnosis-rules.js';
import type { Evidence } from '../../rollout/model.js';
import { type Action, decide, mayStillLeave, servingMeanwhile, upNext } from '../../rollout/planner.js';
import type { Rest } from '../../rollout/rests.js';
import {
  isCondemned,
  isUntroubled,
  type Observed,
  type RolloutState,
  stillToCome,
} from '../../rollout/rollout-state.js';
import { begin, type Occurrence, record } from '../../rollout/transitions.js';
import { onAbort } from '../core/on-abort.js';
import { reportStep, reportTask, reportTo } from '../core/report.js';
import { causeSentence } from '../core/sentences.js';
import type { Member } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';
import { awaitHealth } from '../steps/await-health.js';
import { awaitBalancerCheck } from '../steps/balancer-check.js';
import { clearMark } from '../steps/clear-mark.js';
import { collectEvidence } from '../steps/collect-evidence.js';
import { drain } from '../steps/drain-droplet.js';
import { leaveRotation } from '../steps/leave-rotation.js';
import { markOut } from '../steps/mark-out.js';
import { recordByHand } from '../steps/record-by-hand.js';
import { rejoinRotation } from '../steps/rejoin-rotation.js';
import type { Perform, Run, StepContext, StepResult } from '../steps/run.js';
import { settle } from '../steps/settle.js';
import { startStopped } from '../steps/start-stopped.js';
import { switchRelease } from '../steps/switch-release.js';
import { BatchEvents, type Raisers } from './batch-events.js';
import { capacityFloor } from './capacity-floor.js';
import { FRESH_MS, observeFleet } from './observe-fleet.js';
import type { RolloutWatch } from './rollout-watch.js';
import type { Sick } from './watch-droplets.js';
import { GATE_UNUSABLE } from './watch-gates.js';

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
  'record-by-hand': recordByHand,
  'start-stopped': startStopped,
  evidence: collectEvidence,
} as const satisfies Record<PlannedStep, Perform>;

/**
 * Steps that first make sure that the lease is held: all that change something, and the balancer check, which another run
 * that watches the traffic would take for the balancer's own.
 */
const UNDER_LEASE: ReadonlySet<PlannedStep> = new Set([
  'mark-out',
  'leave',
  'start-stopped',
  'switch',
  'balancer-check',
  'rejoin',
  'clear',
  'record-by-hand',
]);

/** Interval for repeating unchanged progress, in ms. */
const REPEAT_PROGRESS_MS = 2_000;

/** Codes of failures that the release caused, so that reverting helps. `balancer-silent`: the balancer did connect before. */
export const RELEASE_FAULTS: ReadonlySet<string> = new Set([
  'start-failed',
  'unhealthy',
  'health-timeout',
  'balancer-check-failed',
  'app-check-failed',
  'balancer-silent',
]);

export interface Rolled {
  state: RolloutState;
  /** The first failure of the rollout. */
  error?: DeployError;
  evidence: { droplet: string; evidence: Evidence }[];
}

export interface RollOptions {
  /** The release that the droplet is brought to. */
  releaseFor(droplet: number): StoredRelease;
  /** By droplet id: the release to revert to. */
  previous: ReadonlyMap<number, StoredRelease>;
  /** Brings the droplets in hand to a safe end. */
  interrupted: AbortSignal;
  /** Stops immediately. */
  aborted: AbortSignal;
  /** What is watched besides the droplets in hand. */
  watch: RolloutWatch;
  /** Of layers and hooks. */
  events: Raisers;
  /** Roles that are rolled after this one. */
  later?: readonly { role: string; droplets: number }[];
  /** Called after every change of the state, for the status table. */
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

/** Compose and the checks only say that something is not healthy; the evidence says why. */
function explained(error: DeployError, { cause, diagnosis, containers }: Evidence): DeployError {
  const { code, message, hint, droplet, step } = error;
  const isStart = code === 'start-failed';
  if (!isStart && diagnosis === undefined) return error;
  const services = containers.map(({ service }) => service);
  const why = causeSentence(diagnosis?.sentence ?? cause, services);
  const said = isCheckFailure(code) ? `${message} ${why}` : why;
  return new DeployError(code, said, { hint: diagnosis?.remedy ?? hint, droplet, step, cause: error });
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
  /** Steps whose handlers are being called. These end at once when the rollout is aborted, and then it is known how far the step is. */
  #raising = 0;
  readonly #events: BatchEvents;
  /** When the last batch was chosen. */
  #chosenAt = 0;
  /** Ends the pause or the bake. */
  #rest = new AbortController();

  constructor(run: Run, members: readonly Member[], start: RolloutState, options: RollOptions) {
    this.#run = run;
    this.#members = new Map(members.map((member) => [member.droplet.id, member]));
    this.#state = start;
    this.#options = options;
    this.#report = reportTo(run.ports);
    this.#events = new BatchEvents(run.ports, options.events, (id) => this.#member(id).host.name, start.batch);
  }

  async run(): Promise<Rolled> {
    const { interrupted, aborted, watch } = this.#options;
    const stopWatching = new AbortController();
    watch.start((error) => {
      this.#keep(error);
      // A gate that cannot be asked accuses nobody: nothing goes back, and nothing else begins.
      this.#post({ kind: error.code === GATE_UNUSABLE ? 'stopped' : 'watch-failed' });
    });
    onAbort(interrupted, () => this.#post({ kind: 'interrupted' }), stopWatching.signal);
    onAbort(aborted, () => this.#post({ kind: 'halted', code: 'aborted' }), stopWatching.signal);
    try {
      for (;;) {
        for (const action of decide(this.#state)) this.#begin(action);
        if (this.#inbox.length === 0 && (this.#performing === 0 || (aborted.aborted && this.#raising === 0))) {
          if (aborted.aborted) break;
          // A batch that has just started has steps to decide on.
          if (decide(this.#state).length > 0) continue;
          await watch.settle(isUntroubled(this.#state));
          if (this.#inbox.length === 0) break;
          continue;
        }
        await this.#next();
      }
    } finally {
      stopWatching.abort();
      void this.#listening?.stop();
    }
    if (this.#state.halted === undefined && !aborted.aborted) await this.#closeBatch().catch(() => {});
    return { state: this.#state, evidence: this.#evidence, error: this.#error };
  }

  async #closeBatch(): Promise<void> {
    if (this.#options.aborted.aborted) return;
    try {
      await this.#events.close(this.#state);
    } catch (error) {
      throw this.#keep(error);
    }
  }

  async #raised(raise: () => Promise<void>): Promise<void> {
    this.#raising += 1;
    try {
      await raise();
    } finally {
      this.#raising -= 1;
    }
  }

  /** If handlers of before_leave took long, the fleet is observed again. */
  async #prepare(action: Extract<Action, { kind: 'step' }>): Promise<void> {
    const { droplet: id, step } = action;
    const { clock } = this.#run.ports;
    const began = clock.now();
    if (!(await this.#events.leaving(action)) || !this.#stopsServing(step)) return;
    // The evidence of a droplet that fell sick is collected since its batch was chosen.
    const since = this.#state.droplets.find((one) => one.id === id)?.examined ? this.#chosenAt : began;
    if (clock.now() - since > FRESH_MS) await this.#lookAgain(id);
  }

  /** In a fleet without a balancer a droplet serves until its containers are switched. */
  #stopsServing(step: PlannedStep): boolean {
    const { balanced, isFleet } = this.#state.policy;
    return step === 'leave' || (step === 'switch' && isFleet && !balanced);
  }

  /** Throws DeployError capacity-floor when others have stopped serving since the batch was chosen. */
  async #lookAgain(id: number): Promise<void> {
    const others = this.#state.droplets
      .filter(({ course }) => !isInHand(course))
      .map(({ id }) => this.#members.get(id));
    const found = await observeFleet(
      this.#run,
      others.filter((member) => member !== undefined),
      this.#options.interrupted,
    );
    const { serving, floor, may } = mayStillLeave(this.#state, id, found);
    if (!may) throw capacityFloor(serving, floor, this.#run.settings);
  }

  #post(occurrence: Occurrence): void {
    this.#inbox.push(occurrence);
    this.#wake();
  }

  /** Waits for the next occurrence, and records all that have come. */
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

  /** A droplet that returns unchanged need not be drained to the end. */
  #endLostWaits(): void {
    if (this.#state.resting === undefined) this.#rest.abort();
    for (const droplet of this.#state.droplets) {
      if (droplet.course === 'return' && !droplet.touched) this.#waits.get(droplet.id)?.abort();
    }
  }

  #begin(action: Action): void {
    this.#state = begin(this.#state, action);
    this.#options.onState?.(this.#state);
    if (action.kind === 'batch') {
      const droplets = action.droplets.map((id) => this.#member(id).host.name);
      const left = stillToCome(this.#state);
      const { role } = this.#run.settings;
      const { batch, takingBack } = this.#state;
      const later = takingBack ? [] : (this.#options.later ?? []);
      const ahead = later.length > 0 ? [...later] : undefined;
      this.#report({ type: 'batch-started', batch, droplets, left, role, later: ahead, back: takingBack || undefined });
      this.#chosenAt = this.#run.ports.clock.now();
      this.#startListening();
      return;
    }
    this.#performing += 1;
    void this.#performed(action).then((occurrence) => {
      this.#performing -= 1;
      this.#post(occurrence);
    });
  }

  #performed(action: Exclude<Action, { kind: 'batch' }>): Promise<Occurrence> {
    if (action.kind === 'step') return this.#perform(action);
    return action.kind === 'observe' ? this.#observe() : this.#restFor(action);
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

  /** Before anything else begins: `undefined` unless a handler of after_batch has failed. */
  async #endBatch(): Promise<Occurrence | undefined> {
    await this.#endListening();
    try {
      await this.#closeBatch();
      return undefined;
    } catch (error) {
      const { code } = asDeployError(error);
      return code === 'lease-lost' ? { kind: 'halted', code } : { kind: 'stopped' };
    }
  }

  /** Ends early when the state no longer wants the rest: after a signal, or a failure. */
  async #restFor({ kind, ms }: Extract<Action, Rest>): Promise<Occurrence> {
    const rest = new AbortController();
    this.#rest = rest;
    const ended = await this.#endBatch();
    if (ended !== undefined) return ended;
    const done = this.#state.droplets.filter(({ course, touched, gone }) => course === 'done' && touched && !gone);
    try {
      const members = done.map(({ id }) => this.#member(id));
      const sick = await this.#options.watch.rest(kind === 'wait' ? 'pause' : 'bake', members, ms, rest.signal);
      if (sick === undefined) return { kind: kind === 'wait' ? 'paused' : 'baked' };
      return { kind: 'watch-failed', sick: this.#condemned(sick) };
    } catch (error) {
      const { code } = this.#keep(error);
      return code === 'lease-lost' ? { kind: 'halted', code } : { kind: 'stopped' };
    }
  }

  #condemned({ member, error }: Sick): { droplet: number; failure: Failure } {
    const { code, message } = this.#keep(error);
    return { droplet: member.droplet.id, failure: { code, message, blame: 'release' } };
  }

  /** Of those that have got the release, what an observation finds sick. */
  #doneAndSick(found: readonly Observed[]): Member[] {
    const sick = new Set(
      found.filter(({ healthy, unasked, gone }) => !healthy && !unasked && !gone).map(({ id }) => id),
    );
    const { droplets, takingBack, interrupted } = this.#state;
    if (takingBack || interrupted) return [];
    return droplets
      .filter(({ id, course, touched }) => sick.has(id) && course === 'done' && touched)
      .map(({ id }) => this.#member(id));
  }

  async #observe(): Promise<Occurrence> {
    const ended = await this.#endBatch();
    if (ended !== undefined) return ended;
    return await reportTask(this.#run.ports, 'observe', () => this.#observed());
  }

  async #observed(): Promise<Occurrence> {
    try {
      const observe = () => observeFleet(this.#run, [...this.#members.values()], this.#options.interrupted);
      const droplets = await observe();
      const suspects = this.#doneAndSick(droplets);
      if (suspects.length === 0) return { kind: 'observed', droplets };
      const sick = await this.#options.watch.verify(suspects);
      if (sick === undefined) return { kind: 'observed', droplets: await observe() };
      return { kind: 'observed', droplets, sick: this.#condemned(sick) };
    } catch (error) {
      return { kind: 'observe-failed', code: this.#keep(error).code };
    }
  }

  async #perform(action: Extract<Action, { kind: 'step' }>): Promise<Occurrence> {
    const { step, droplet: id } = action;
    const member = this.#member(id);
    const droplet = member.host.name;
    const context = this.#contextOf(action, droplet);
    // What layers do before the droplet leaves changes neither its rotation nor its release.
    let unchanged = true;
    try {
      await this.#raised(() => this.#prepare(action));
      if (this.#options.aborted.aborted) throw new DeployError('interrupted', 'Interrupted.', { source: 'user' });
      unchanged = false;
      await reportStep(this.#run.ports, { droplet, step, release: context.release?.id }, async () => {
        try {
          if (UNDER_LEASE.has(step)) await this.#run.lease.ensure(id);
          const result = await STEPS[step](member, context);
          this.#learn(member, result);
          unchanged = result.unchanged ?? false;
          if (result.failure !== undefined) throw result.failure;
          return result.detail;
        } catch (error) {
          throw (await this.#run.lease.lossOn(id)) ?? error;
        }
      });
      if (step === 'clear') await this.#raised(() => this.#events.rejoined(id));
      return { kind: 'done', droplet: id };
    } catch (error) {
      const { code, message } = this.#keep(error);
      if (code === 'lease-lost') return { kind: 'halted', code };
      const blame = RELEASE_FAULTS.has(code) ? 'release' : 'external';
      return { kind: 'failed', droplet: id, failure: { step, code, message, blame, unchanged } };
    } finally {
      this.#waits.delete(id);
    }
  }

  #contextOf(action: Extract<Action, { kind: 'step' }>, droplet: string): StepContext {
    const wait = new AbortController();
    this.#waits.set(action.droplet, wait);
    return {
      ...this.#run,
      release: this.#releaseFor(action),
      condemned:
        action.towards === 'previous' && isCondemned(this.#state)
          ? this.#options.releaseFor(action.droplet).id
          : undefined,
      signal: wait.signal,
      failure: this.#error,
      progress: this.#progressOf(droplet, action.step),
      others: () => this.#others(),
    };
  }

  /** Undefined when the containers stay as they are. */
  #releaseFor({ towards, droplet }: Extract<Action, { kind: 'step' }>): StoredRelease | undefined {
    const { previous } = this.#options;
    if (towards === 'same') return undefined;
    return towards === 'new' ? this.#options.releaseFor(droplet) : previous.get(droplet);
  }

  /** Reports new progress immediately, and unchanged progress at intervals. */
  #progressOf(droplet: string, step: PlannedStep): (detail: string) => void {
    const { clock } = this.#run.ports;
    let reported: { detail: string; at: number } | undefined;
    return (detail) => {
      const now = clock.now();
      if (reported?.detail === detail && now - reported.at < REPEAT_PROGRESS_MS) return;
      reported = { detail, at: now };
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

  /** Keeps the first error: later ones follow from it and explain nothing. */
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
