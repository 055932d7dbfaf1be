/**
 * The data plane of one load balancer: takes real connections on loopback, one port per forwarding rule, and relays
 * them to the droplets that the world says it serves and its own health checks say are well.
 */
import { Backend, type BackendState } from './balancing/backend.js';
import type { Connect } from './balancing/connect.js';
import { passesHealthCheck } from './balancing/health-check.js';
import { type Relay, startRelay } from './balancing/relays.js';
import type { BalancerRecord } from './records.js';
import type { World } from './world.js';

/** A request that reached a client as 502 or as a cut connection. */
export interface BackendFailure {
  /** ms since the epoch */
  at: number;
  dropletId: number;
  reason: string;
}

export interface BalancerOptions {
  world: World;
  record: BalancerRecord;
  connect: Connect;
  /** For the first forwarding rule. Default: a free one. */
  port?: number;
}

const KEPT_FAILURES = 200;

export class Balancer {
  /** The latest, oldest first. */
  readonly failures: BackendFailure[] = [];

  readonly #options: BalancerOptions;
  readonly #members = new Map<number, Backend>();
  /** Out of rotation with requests still under way. */
  readonly #leaving = new Set<Backend>();
  readonly #relays: Relay[] = [];
  readonly #watchers = new Set<() => void>();
  #unsubscribe: () => void = () => {};
  /** As many members as it began with: from when on `fewestServing` counts. */
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
    for (const [index, rule] of record.forwardingRules.entries()) {
      const relay = await startRelay({
        rule,
        pick: () => balancer.#pick(),
        connect: options.connect,
        proxyProtocol: record.proxyProtocol,
        idleTimeoutSeconds: record.idleTimeoutSeconds,
        onFailure: (dropletId, reason) => balancer.#keepFailure(dropletId, reason),
        ...(index === 0 && options.port !== undefined && { port: options.port }),
      });
      balancer.#relays.push(relay);
    }
    balancer.#follow();
    balancer.#unsubscribe = world.onServing((changed) => {
      if (changed === record) balancer.#follow();
    });
    return balancer;
  }

  /** Of its first forwarding rule. */
  get url(): string {
    return `http://127.0.0.1:${this.portOf(this.#options.record.forwardingRules[0]?.entryPort ?? 80)}`;
  }

  /** The port on 127.0.0.1 that stands for the balancer's entry port. */
  portOf(entryPort: number): number {
    const index = this.#options.record.forwardingRules.findIndex((rule) => rule.entryPort === entryPort);
    const relay = this.#relays[index];
    if (relay === undefined) throw new Error(`the balancer has no rule for port ${entryPort}`);
    return relay.port;
  }

  /** For `GET /state`: what the API accepted, shows, and what traffic does. */
  state() {
    const { id, name, status, tag, accepted, shown } = this.#options.record;
    const { serving, fewestServing, failures } = this;
    const membership = { accepted: accepted.ids, shown: shown.ids, backends: this.backends() };
    return { id, name, status, tag, ...membership, serving, fewestServing, failures };
  }

  /** Members in the order in which they joined, then those that still finish requests. */
  backends(): BackendState[] {
    return [...this.#members.values(), ...this.#leaving].map((backend) => backend.state());
  }

  /** Members that get new requests. */
  get serving(): number {
    return this.#up().length;
  }

  /** The least of `serving` since it was complete for the first time, or since `watchServing`; 0 before. */
  get fewestServing(): number {
    return this.#fewestServing ?? 0;
  }

  watchServing(): void {
    this.#fewestServing = this.serving;
  }

  /** Resolves when the condition holds; looks again at every change. Rejects, with the states, after `timeoutMs`. */
  async until(condition: (backends: BackendState[]) => boolean, timeoutMs: number): Promise<void> {
    if (condition(this.backends())) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        end();
      };
      const look = () => {
        if (condition(this.backends())) settle(resolve);
      };
      const timer = setTimeout(() => {
        const states = JSON.stringify(this.backends());
        settle(() => reject(new Error(`the balancer did not come so far within ${timeoutMs} ms: ${states}`)));
      }, timeoutMs);
      this.#watchers.add(look);
    });
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    for (const backend of this.#members.values()) backend.leave();
    await Promise.all(this.#relays.map((relay) => relay.stop()));
  }

  /** Brings the members in line with what the world says is served. */
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
      check: () => passesHealthCheck(connect, dropletId, record.healthCheck, record.proxyProtocol),
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
    for (const look of [...this.#watchers]) look();
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
