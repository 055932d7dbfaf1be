import type { SandboxClock } from '../clock.js';
import type { HealthCheckRecord } from '../records.js';

/** For tests and `GET /state`. */
export interface BackendState {
  dropletId: number;
  /** Whether new requests go there. */
  up: boolean;
  /** When `up` changed, ms since the epoch. */
  since: number;
  /** Requests or connections under way. */
  inFlight: number;
  /** Requests or connections that were sent there since it joined. */
  served: number;
  /** Taken out of rotation, but with requests still under way. */
  leaving: boolean;
}

export interface BackendOptions {
  dropletId: number;
  clock: SandboxClock;
  healthCheck: HealthCheckRecord;
  /** One health check. Never rejects. */
  check: () => Promise<boolean>;
  onChange: () => void;
}

/** One member of the rotation: it starts down, and its own health checks bring it up and down. */
export class Backend {
  readonly dropletId: number;
  up = false;
  since: number;
  inFlight = 0;
  served = 0;
  leaving = false;

  /** Checks in a row that contradict `up`. */
  #against = 0;
  #cancelNext: () => void = () => {};
  readonly #options: BackendOptions;

  constructor(options: BackendOptions) {
    this.#options = options;
    this.dropletId = options.dropletId;
    this.since = options.clock.now();
  }

  /** Checks at once, then at every interval, until `leave`. */
  startChecks(): void {
    void this.#checkAndRepeat();
  }

  /** No new request from now on; those under way go on. */
  leave(): void {
    this.leaving = true;
    this.#setUp(false);
    this.#cancelNext();
  }

  /** Counts a request that is sent here; the answer is how to end it, which may be called more than once. */
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
    this.#weigh(passed);
    const wait = Math.max(1, begun + healthCheck.intervalSeconds * 1000 - clock.now());
    this.#cancelNext = clock.after(wait, () => this.startChecks());
  }

  #weigh(passed: boolean): void {
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
