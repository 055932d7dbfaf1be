/** Probes the public address throughout a rollout, to show that it kept answering. */

import type { ProbeSettings, StatusRange } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Probes } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { reportTo } from '../core/report.js';

/** What is probed. */
export type Probe = ProbeSettings & { url: string };

/** How often the probes that have ended are reported, in ms. */
const REPORT_EVERY_MS = 2_000;

export interface AvailabilityWatch {
  /** Resolves when the probes that are under way have ended. */
  settle(): Promise<void>;
  /** Makes no further probes. Resolves to the counts when the last one has ended. */
  stop(): Promise<Probes>;
}

export function isExpected(status: number | undefined, expect: readonly StatusRange[]): boolean {
  return status !== undefined && expect.some(({ from, to }) => status >= from && status <= to);
}

/**
 * Probes the address at its interval until stopped, whether or not earlier probes have been answered.
 * @param onFailure called once, when more probes have failed than are allowed
 */
export function watchAvailability(
  { web, clock, reporter }: Pick<DeployPorts, 'web' | 'clock' | 'reporter'>,
  { url, intervalMs, timeoutMs, expect, maxFailures = Number.POSITIVE_INFINITY }: Probe,
  onFailure: (error: DeployError) => void,
): AvailabilityWatch {
  const stopped = new AbortController();
  const pending = new Set<Promise<void>>();
  const probes: Probes = { url, total: 0, failed: 0, slowestMs: 0 };
  const report = reportTo({ clock, reporter });
  let reportedAt = clock.now();
  let unreported = { total: 0, failed: 0, slowestMs: 0 };

  function count(ms: number, failed: 0 | 1): void {
    for (const counts of [probes, unreported]) {
      counts.total += 1;
      counts.failed += failed;
      counts.slowestMs = Math.max(counts.slowestMs, ms);
    }
  }

  function reportCounts(): void {
    const now = clock.now();
    if (unreported.total > 0) report({ type: 'probe-progress', ms: now - reportedAt, ...unreported });
    unreported = { total: 0, failed: 0, slowestMs: 0 };
    reportedAt = now;
  }

  async function probe(): Promise<void> {
    const began = clock.now();
    const { status, detail } = await web.get(url, timeoutMs);
    const isGood = isExpected(status, expect);
    count(clock.now() - began, isGood ? 0 : 1);
    if (isGood) return;
    probes.firstFailure ??= { at: new Date(began).toISOString(), detail };
    if (probes.failed === maxFailures + 1 && !stopped.signal.aborted)
      onFailure(probeFailed(probes, maxFailures, detail));
  }

  async function watch(): Promise<void> {
    while (!stopped.signal.aborted) {
      const request = probe().finally(() => pending.delete(request));
      pending.add(request);
      await clock.sleep(intervalMs, stopped.signal);
      if (clock.now() - reportedAt >= REPORT_EVERY_MS) reportCounts();
    }
  }

  const watching = watch();
  const settle = async () => {
    await Promise.all(pending);
  };
  return {
    settle,
    async stop() {
      stopped.abort();
      await watching;
      await settle();
      reportCounts();
      return probes;
    },
  };
}

function probeFailed({ url, failed, total }: Probes, allowed: number, detail: string): DeployError {
  const message = `${failed} of ${total} requests to ${url} failed, and rollout.probe.max_failures allows ${allowed}. The last: ${detail}.`;
  return new DeployError('probe-failed', message, {
    hint: 'Look at that address and at the droplets behind it. Fix the release, then deploy again.',
  });
}
