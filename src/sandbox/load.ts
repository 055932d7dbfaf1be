/**
 * Open-loop load: requests start on schedule whether or not earlier ones were answered, so a slow fleet does not slow down
 * the load. Three kinds of requests: on new connections, on kept-alive connections, and slow ones.
 */
import http from 'node:http';
import { performance } from 'node:perf_hooks';

export interface LoadOptions {
  /** The balancer's URL. */
  url: string;
  /** Default 50. */
  requestsPerSecond?: number;
  /** Default `/`. */
  path?: string;
  /** Every n-th request is slow (default 25; 0: none). */
  slowEvery?: number;
  /** Duration of a slow request, `/slow?ms=…` (default 1500 ms). */
  slowMs?: number;
  /** A later answer counts as a failure (default 30 s). */
  timeoutMs?: number;
  /** Ends after this number of requests (default 200,000). */
  maxRequests?: number;
  /** Ends after this time (default 15 minutes). */
  maxMs?: number;
  /**
   * With more requests in progress, new ones count as `skipped` (default 100). On a machine that is too slow for all of
   * them, more would only wait: a process accepts one connection of each server at a time.
   */
  maxInProgress?: number;
}

export type RequestKind = 'new connection' | 'kept alive' | 'slow';

export interface LoadFailure {
  /** When the request started, in ms since the epoch. */
  at: number;
  kind: RequestKind;
  /** `HTTP 502`, `ECONNRESET`, `no response within 30000 ms`, … */
  reason: string;
  afterMs: number;
}

export interface LoadReport {
  total: number;
  /** Network errors, statuses other than 2xx, incomplete or late answers. */
  failed: number;
  /** Requests that were due but not started, because this machine or the fleet was too slow. Not in `total`. */
  skipped: number;
  byKind: Record<RequestKind, number>;
  /** Successful requests by their `x-version` header ('' without one). */
  byVersion: Record<string, number>;
  /** The first 100. */
  failures: LoadFailure[];
  /** Of successful requests, without slow ones. */
  latencyMs: { p50: number; p95: number; p99: number; slowest: number };
  durationMs: number;
}

const TICK_MS = 10;
const KEPT_FAILURES = 100;

export class Load {
  readonly #options: Required<LoadOptions>;
  readonly #keepAlive = new http.Agent({ keepAlive: true, maxFreeSockets: 16, scheduling: 'fifo' });
  readonly #startedAt = performance.now();
  readonly #inProgress = new Set<Promise<void>>();
  readonly #latencies: number[] = [];
  readonly #failures: LoadFailure[] = [];
  readonly #byVersion: Record<string, number> = {};
  readonly #byKind: Record<RequestKind, number> = { 'new connection': 0, 'kept alive': 0, slow: 0 };
  #timer: NodeJS.Timeout | undefined;
  #resolveEnded: () => void = () => {};
  /** Resolves when no more requests are started: after `stop`, `maxRequests` or `maxMs`. */
  readonly ended = new Promise<void>((resolve) => {
    this.#resolveEnded = resolve;
  });
  #due = 0;
  #total = 0;
  #failed = 0;
  #skipped = 0;
  #endedAt: number | undefined;

  private constructor(options: LoadOptions) {
    this.#options = {
      requestsPerSecond: 50,
      path: '/',
      slowEvery: 25,
      slowMs: 1500,
      timeoutMs: 30_000,
      maxRequests: 200_000,
      maxMs: 15 * 60_000,
      maxInProgress: 100,
      ...options,
    };
  }

  static start(options: LoadOptions): Load {
    const load = new Load(options);
    load.#timer = setInterval(() => load.#startDue(), TICK_MS);
    return load;
  }

  /** Starts no more requests, waits for those in progress (bounded by `timeoutMs`), and reports. */
  async stop(): Promise<LoadReport> {
    this.#end();
    await Promise.all(this.#inProgress);
    this.#keepAlive.destroy();
    return this.report();
  }

  /** The report so far. */
  report(): LoadReport {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
    return {
      total: this.#total,
      failed: this.#failed,
      skipped: this.#skipped,
      byKind: { ...this.#byKind },
      byVersion: { ...this.#byVersion },
      failures: [...this.#failures],
      latencyMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99), slowest: at(1) },
      durationMs: Math.round((this.#endedAt ?? performance.now()) - this.#startedAt),
    };
  }

  #end(): void {
    clearInterval(this.#timer);
    this.#endedAt ??= performance.now();
    this.#resolveEnded();
  }

  /** Follows the clock, not the ticks: after a pause of the process it catches up. */
  #startDue(): void {
    const { requestsPerSecond, maxMs, maxRequests, maxInProgress } = this.#options;
    const elapsed = performance.now() - this.#startedAt;
    const dueNow = Math.floor((Math.min(elapsed, maxMs) / 1000) * requestsPerSecond);
    for (; this.#due < dueNow && this.#total < maxRequests; this.#due++) {
      if (this.#inProgress.size >= maxInProgress) this.#skipped += 1;
      else this.#start(this.#kindOf(this.#due));
    }
    if (elapsed >= maxMs || this.#total >= maxRequests) this.#end();
  }

  #kindOf(index: number): RequestKind {
    const { slowEvery } = this.#options;
    if (slowEvery > 0 && index % slowEvery === slowEvery - 1) return 'slow';
    return index % 2 === 0 ? 'new connection' : 'kept alive';
  }

  #start(kind: RequestKind): void {
    this.#total += 1;
    this.#byKind[kind] += 1;
    const at = Date.now();
    const begun = performance.now();
    const answer = this.#request(kind).then(
      (version) => {
        this.#byVersion[version] = (this.#byVersion[version] ?? 0) + 1;
        if (kind !== 'slow') this.#latencies.push(performance.now() - begun);
      },
      (error: NodeJS.ErrnoException) => {
        this.#failed += 1;
        const reason = error.code ?? error.message;
        const failure = { at, kind, reason, afterMs: Math.round(performance.now() - begun) };
        if (this.#failures.length < KEPT_FAILURES) this.#failures.push(failure);
      },
    );
    const ended = answer.finally(() => this.#inProgress.delete(ended));
    this.#inProgress.add(ended);
  }

  /** Resolves to the version that answered; rejects without a complete 2xx answer. */
  #request(kind: RequestKind): Promise<string> {
    const { url, path, slowMs, timeoutMs } = this.#options;
    const target = new URL(kind === 'slow' ? `/slow?ms=${slowMs}` : path, url);
    return new Promise((resolve, reject) => {
      const request = http.get(target, { agent: kind === 'kept alive' ? this.#keepAlive : false });
      const lateError = new Error(`no response within ${timeoutMs} ms`);
      const deadline = setTimeout(() => request.destroy(lateError), timeoutMs);
      let answering = false;
      request.on('response', (response) => {
        answering = true;
        const status = response.statusCode ?? 0;
        response.resume();
        response.on('error', reject);
        response.on('close', () => reject(new Error('the response was cut off')));
        response.on('end', () => {
          if (status < 200 || status > 299) reject(new Error(`HTTP ${status}`));
          else resolve(String(response.headers['x-version'] ?? ''));
        });
      });
      request.on('error', reject);
      request.on('close', () => {
        clearTimeout(deadline);
        // If a response has begun, its own events decide.
        if (!answering) reject(new Error('the connection was closed'));
      });
    });
  }
}
