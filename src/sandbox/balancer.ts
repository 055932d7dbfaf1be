/**
 * The data plane of one load balancer: accepts connections on a loopback port and relays them to its members whose health
 * checks pass.
 */
import { Backend, type BackendState } from './balancing/backend.js';
import type { Connect } from './balancing/connect.js';
import { passesHealthCheck } from './balancing/health-check.js';
import { type Relay, startRelay } from './balancing/relay.js';
import type { BalancerRecord } from './records.js';
import type { World } from './world.js';

/** A request that ended in a 502 or a cut connection for the client. */
export interface BackendFailure {
  /** In ms since the epoch. */
  at: number;
  dropletId: number;
  reason: string;
}

export interface BalancerOptions {
  world: World;
  record: BalancerRecord;
  connect: Connect;
  /** Default: a free port. */
  port?: number;
}

const KEPT_FAILURES = 200;
/** Of the only forwarding rule. */
const TARGET_PORT = 80;

export class Balancer {
  /** The latest 200, oldest first. */
  readonly failures: BackendFailure[] = [];

  readonly #options: BalancerOptions;
  readonly #members = new Map<number, Backend>();
  /** Out of rotation, with requests in progress. */
  readonly #leaving = new Set<Backend>();
  #relay: Relay | undefined;
  readonly #watchers = new Set<() => void>();
  #unsubscribe: () => void = () => {};
  /** Number of members at the start: `fewestServing` counts from when all of them serve. */
  readonly #complete: number;
  #turn = 0;
  #fewestServing: number | undefined;

  private constructor(options: BalancerOptions) {
    this.#options = options;
    this.#complete = options.record.serving.size;
  }

  static async start(options: BalancerOptions): Promise<Balancer> {
    const balancer = new Balancer(options);
    const { world, record } = options;
    balancer.#relay = await startRelay({
      targetPort: TARGET_PORT,
      pick: () => balancer.#pick(),
      connect: options.connect,
      idleTimeoutSeconds: record.idleTimeoutSeconds,
      onFailure: (dropletId, reason) => balancer.#keepFailure(dropletId, reason),
      port: options.port,
    });
    balancer.#follow();
    balancer.#unsubscribe = world.onServing((changed) => {
      if (changed === record) balancer.#follow();
    });
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#relay?.port}`;
  }

  /** For `GET /state`: the membership that the API accepted and shows, and that traffic follows. */
  state() {
    const { id, name, status, tag, accepted, shown } = this.#options.record;
    const { serving, fewestServing, failures } = this;
    const membership = { accepted: accepted.ids, shown: shown.ids, backends: this.backends() };
    return { id, name, status, tag, ...membership, serving, fewestServing, failures };
  }

  /** Members in the order in which they joined, then former members with requests in progress. */
  backends(): BackendState[] {
    return [...this.#members.values(), ...this.#leaving].map((backend) => backend.state());
  }

  /** Number of members that get new requests. */
  get serving(): number {
    return this.#up().length;
  }

  /** The minimum of `serving` since all members served for the first time, or since `watchServing`; 0 before. */
  get fewestServing(): number {
    return this.#fewestServing ?? 0;
  }

  watchServing(): void {
    this.#fewestServing = this.serving;
  }

  /** Resolves when the condition holds. Rejects with the backends' states after `timeoutMs`. */
  async until(condition: (backends: BackendState[]) => boolean, timeoutMs: number): Promise<void> {
    if (condition(this.backends())) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(check);
        end();
      };
      const check = () => {
        if (condition(this.backends())) settle(resolve);
      };
      const timer = setTimeout(() => {
        const states = JSON.stringify(this.backends());
        settle(() => reject(new Error(`the balancer did not get there within ${timeoutMs} ms: ${states}`)));
      }, timeoutMs);
      this.#watchers.add(check);
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    for (const backend of this.#members.values()) backend.leave();
    await this.#relay?.stop();
  }

  /** Adjusts the members to the served membership. */
  #follow(): void {
    const { record } = this.#options;
    for (const [dropletId, backend] of this.#members) {
      if (record.serving.has(dropletId)) continue;
      this.#members.delete(dropletId);
      this.#leaving.add(backend);
      backend.leave();
    }
    for (const dropletId of record.serving.ids) {
      if (!this.#members.has(dropletId)) this.#join(dropletId);
    }
    this.#changed();
  }

  #join(dropletId: number): void {
    const { world, record, connect } = this.#options;
    const backend = new Backend({
      dropletId,
      clock: world.clock,
      healthCheck: record.healthCheck,
      check: () => passesHealthCheck(connect, dropletId, record.healthCheck),
      onChange: () => this.#changed(),
    });
    this.#members.set(dropletId, backend);
    backend.startChecks();
  }

  #changed(): void {
    for (const backend of this.#leaving) if (backend.inFlight === 0) this.#leaving.delete(backend);
    const { serving } = this;
    if (this.#fewestServing !== undefined) this.#fewestServing = Math.min(this.#fewestServing, serving);
    else if (serving > 0 && serving >= this.#complete) this.#fewestServing = serving;
    for (const check of [...this.#watchers]) check();
  }

  #up(): Backend[] {
    return [...this.#members.values()].filter((backend) => backend.up);
  }

  /** Round robin. */
  #pick(): Backend | undefined {
    const up = this.#up();
    this.#turn += 1;
    return up[this.#turn % up.length];
  }

  #keepFailure(dropletId: number, reason: string): void {
    this.failures.push({ at: this.#options.world.clock.now(), dropletId, reason });
    if (this.failures.length > KEPT_FAILURES) this.failures.shift();
  }
}
