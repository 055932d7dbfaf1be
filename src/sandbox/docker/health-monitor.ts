import type { HealthCommand, HealthResult, PortLookup } from './health-command.js';

export interface HealthSettings {
  command: HealthCommand;
  intervalMs: number;
  timeoutMs: number;
  retries: number;
  startPeriodMs: number;
}

export interface HealthLogEntry extends HealthResult {
  start: number;
  end: number;
}

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

/**
 * Docker's health rules (moby, daemon/health.go): first check one interval after the start; one success is healthy;
 * `retries` failures in a row are unhealthy; failures during the start period do not count until a check has passed.
 */
export class HealthMonitor {
  status: HealthStatus = 'starting';
  failingStreak = 0;
  /** The last five checks, oldest first. */
  readonly log: HealthLogEntry[] = [];
  readonly #settings: HealthSettings;
  readonly #startedAt = Date.now();
  readonly #ports: PortLookup;
  readonly #changed: () => void;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(settings: HealthSettings, ports: PortLookup, changed: () => void) {
    this.#settings = settings;
    this.#ports = ports;
    this.#changed = changed;
    this.#schedule();
  }

  /** Docker reports a container whose monitor has stopped as unhealthy, "for compatibility reasons". */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.status = 'unhealthy';
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#check(), this.#settings.intervalMs);
  }

  #isExcused(at: number): boolean {
    return this.status === 'starting' && at - this.#startedAt < this.#settings.startPeriodMs;
  }

  async #check(): Promise<void> {
    const start = Date.now();
    const result = await this.#settings.command(this.#ports, this.#settings.timeoutMs);
    // The container stopped in the meantime.
    if (this.#stopped) return;
    this.#record({ ...result, start, end: Date.now() });
    this.#schedule();
  }

  #record(entry: HealthLogEntry): void {
    this.log.push(entry);
    if (this.log.length > 5) this.log.shift();

    const before = this.status;
    if (entry.exitCode === 0) {
      this.status = 'healthy';
      this.failingStreak = 0;
    } else if (!this.#isExcused(entry.start)) {
      this.failingStreak += 1;
      if (this.failingStreak >= this.#settings.retries) this.status = 'unhealthy';
    }
    if (this.status !== before) this.#changed();
  }
}
