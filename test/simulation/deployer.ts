/**
 * One run of do-deploy: a process of its own on the simulated world. It numbers its calls, and so knows when its
 * planned faults are due; once it has died, none of its calls ever answers, and none takes effect.
 */
import type { Clock } from '../../src/ports.js';
import type { LifecycleEvent } from '../../src/rollout/lifecycle.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { Knowledge } from './knowledge.js';
import type { Link } from './link.js';
import { type Random, random, upTo } from './random.js';
import type { CallName, FaultKind, RunPlan } from './scenario.js';
import type { World } from './world.js';

export interface Trouble {
  kind: FaultKind | 'crash';
  applied: boolean;
  roll: number;
}

/** Never resolves: the answer to a dead process. One shared promise would keep all that wait for it in memory. */
export function never(): Promise<never> {
  return new Promise(() => {});
}

const CHAOS: readonly FaultKind[] = ['no', 'maybe', 'maybe', 'drop', 'slow', 'fails'];

export class Deployer {
  readonly name: string;
  readonly chance: Random;
  readonly interrupted = new AbortController();
  readonly aborted = new AbortController();
  readonly links = new Set<Link>();
  readonly knowledge = new Knowledge();
  readonly clock: Clock;
  /** Settles when the process dies. */
  readonly died: Promise<void>;
  dead = false;
  /** Its rollout-finished, as often as it was told. */
  finished: DeployResult[] = [];
  /** It was told that the floor may be broken. */
  allowDowntime = false;
  /** How long it was told to pause between batches, and to bake. */
  rests = { pauseMs: 0, bakeMs: 0 };
  /** Its token is refused. */
  revoked = false;
  sshAwayUntil = 0;
  apiAwayUntil = 0;
  calls = 0;
  /** Events for layers, in order. */
  readonly raised: LifecycleEvent[] = [];
  /** A layer has failed, or will. */
  layerFailed = false;
  /** One of their failures had to end the run. */
  failedBeforeEnd = false;
  readonly #counts = new Map<CallName, number>();
  readonly #chaosUntil: number;
  #resolveDied: () => void = () => {};

  constructor(
    readonly world: World,
    readonly plan: RunPlan,
  ) {
    this.name = `deployer-${world.deployers.length + 1}`;
    world.deployers.push(this);
    this.chance = random(world.story.seed + 7_919 * world.deployers.length);
    this.#chaosUntil = plan.chaos;
    this.died = new Promise((resolve) => {
      this.#resolveDied = resolve;
    });
    this.clock = {
      now: () => world.clock.now() + (plan.clockAheadMs ?? 0),
      sleep: async (ms, signal) => {
        // Timers count whole milliseconds.
        await (this.dead ? never() : world.clock.sleep(Math.ceil(ms), signal));
        if (this.dead) await never();
      },
    };
  }

  /** A call begins: whether something goes wrong with it. */
  begin(call: CallName): Trouble | undefined {
    const { plan, world } = this;
    world.catchUp();
    this.calls += 1;
    const nth = this.#counts.get(call) ?? 0;
    this.#counts.set(call, nth + 1);
    const isDue = (planned: { call: CallName; nth: number }) => planned.call === call && planned.nth === nth;
    if (plan.interrupt && isDue(plan.interrupt)) this.#interrupt(plan.interrupt.secondAfterMs);
    if (plan.crash && isDue(plan.crash)) {
      world.monitor.tally(`crash: ${call}${plan.crash.applied ? ' (done)' : ''}`);
      return { kind: 'crash', applied: plan.crash.applied, roll: this.chance() };
    }
    const trouble = plan.faults.find(isDue) ?? this.#chaos();
    if (world.trace) world.note(`${this.name}   ${call} ${trouble ? JSON.stringify(trouble) : ''}`);
    if (trouble === undefined) return undefined;
    const { applied, roll } = trouble;
    const kind = 'fault' in trouble ? trouble.fault : trouble.kind;
    if (kind === 'revoked') this.revoked = true;
    world.monitor.tally(`${kind}: ${call}`);
    return { kind, applied, roll };
  }

  #chaos(): Trouble | undefined {
    if (this.#chaosUntil === 0 || this.chance() >= this.#chaosUntil) return undefined;
    const kind = CHAOS[upTo(this.chance, CHAOS.length - 1)] ?? 'maybe';
    return { kind, applied: this.chance() < 0.5, roll: this.chance() };
  }

  #interrupt(secondAfterMs: number | undefined): void {
    this.world.monitor.tally('signal: first');
    this.interrupted.abort('SIGINT');
    if (secondAfterMs === undefined) return;
    void this.clock.sleep(secondAfterMs).then(() => {
      if (this.finished.length > 0) return;
      this.world.monitor.tally('signal: second');
      this.aborted.abort('SIGINT');
    });
  }

  /** Waits, if there is anything to wait for; a dead process waits for ever. */
  async wait(ms: number): Promise<void> {
    if (ms > 0) await this.world.clock.sleep(ms);
    if (this.dead) await never();
    this.world.catchUp();
  }

  /** No call takes time on its way. */
  get isNear(): boolean {
    return this.world.story.delays.latencyMs === 0;
  }

  /** The way of a call there, or back. */
  async travel(): Promise<void> {
    const { latencyMs } = this.world.story.delays;
    await this.wait(latencyMs === 0 ? 0 : Math.floor((this.chance() * latencyMs) / 2));
  }

  /** The process has ended by itself. */
  exit(): void {
    this.dead = true;
    for (const link of this.links) link.cut('openly');
  }

  die(): void {
    if (this.dead) return;
    this.dead = true;
    // The kernel closes the connections of a killed process; a machine without power does not.
    for (const link of this.links) link.cut(this.plan.crash?.power ? 'silently' : 'openly');
    this.#resolveDied();
  }
}
