import type { SandboxClock } from '../clock.js';
import type { HealthCheckRecord } from '../records.js';

/** A backend as tests and `GET /state` see it. */
export type BackendState = Pick<Backend, 'dropletId' | 'up' | 'since' | 'inFlight' | 'served' | 'leaving'>;

export interface BackendOptions {
  dropletId: number;
  clock: SandboxClock;
  healthCheck: HealthCheckRecord;
  /** Makes one health check. Never rejects. */
  check: () => Promise<boolean>;
  onChange: () => void;
}

/** One member of the rotation. It starts as down; its health checks decide when it is up. */
export class Backend {
  readonly dropletId: number;
  /** Gets new requests. */
  up = false;
  /** When `up` last changed, in ms since the epoch. */
  since: number;
  /** Requests in progress. */
  inFlight = 0;
  /** Requests since it joined. */
  served = 0;
  /** Out of rotation, with requests still in progress. */
  leaving = false;

  /** Consecutive checks that contradict `up`. */
  #against = 0;
  #cancelNext: () => void = () => {};
  readonly #options: BackendOptions;

  constructor(options: BackendOptions) {
    this.#options = options;
    this.dropletId = options.dropletId;
    this.since = options.clock.now();
  }

  /** Checks immediately, then at every interval until `leave`. */
  startChecks(): void {
    void this.#checkAndRepeat();
  }

  /** Takes no new requests; those in progress continue. */
  leave(): void {
    this.leaving = true;
    this.#setUp(false);
    this.#cancelNext();
  }

  /** Counts a request. Returns how to end it; calling that again has no effect. */
  take(): () => void {
    this.inFlight += 1;
    this.served += 1;
    this.#options.onChange();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.inFlight -= 1;
      this.#options.onChange();
    };
  }

  state(): BackendState {
    const { dropletId, up, since, inFlight, served, leaving } = this;
    return { dropletId, up, since, inFlight, served, leaving };
  }

  async #checkAndRepeat(): Promise<void> {
    const { clock, healthCheck, check } = this.#options;
    const begun = clock.now();
    const passed = await check();
    if (this.leaving) return;
    this.#count(passed);
    const wait = Math.max(1, begun + healthCheck.intervalSeconds * 1000 - clock.now());
    this.#cancelNext = clock.after(wait, () => this.startChecks());
  }

  #count(passed: boolean): void {
    const { healthyThreshold, unhealthyThreshold } = this.#options.healthCheck;
    this.#against = passed === this.up ? 0 : this.#against + 1;
    if (this.#against >= (this.up ? unhealthyThreshold : healthyThreshold)) this.#setUp(passed);
  }

  #setUp(up: boolean): void {
    if (this.up === up) return;
    this.up = up;
    this.since = this.#options.clock.now();
    this.#against = 0;
    this.#options.onChange();
  }
}
