/** Probes the public address throughout a rollout, to show that it kept answering. */

import type { ProbeSettings, StatusRange } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { Probes } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';

/** How often the counts are reported while nothing fails, in ms. */
const REPORT_EVERY_MS = 2_000;

/** What is probed. */
export type Probe = ProbeSettings & { url: string };

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
 * @param onProbed called for each failed probe, otherwise every few seconds, and at the end; with the slowest since the last call
 */
export function watchAvailability(
  { web, clock }: Pick<DeployPorts, 'web' | 'clock'>,
  { url, intervalMs, timeoutMs, expect, maxFailures = Number.POSITIVE_INFINITY }: Probe,
  onFailure: (error: DeployError) => void,
  onProbed: (counts: Pick<Probes, 'total' | 'failed' | 'slowestMs'>) => void = () => {},
): AvailabilityWatch {
  const stopped = new AbortController();
  const pending = new Set<Promise<void>>();
  const probes: Probes = { url, total: 0, failed: 0, slowestMs: 0 };
  let reportedAt = Number.NEGATIVE_INFINITY;
  let reported = 0;
  /** Of the probes since the last report, in ms. */
  let slowestMs = 0;

  function tell(): void {
    reportedAt = clock.now();
    reported = probes.total;
    onProbed({ total: probes.total, failed: probes.failed, slowestMs });
    slowestMs = 0;
  }

  async function probe(): Promise<void> {
    const began = clock.now();
    const { status, detail } = await web.get(url, timeoutMs);
    const ms = clock.now() - began;
    probes.total += 1;
    probes.slowestMs = Math.max(probes.slowestMs, ms);
    slowestMs = Math.max(slowestMs, ms);
    const isFailed = !isExpected(status, expect);
    if (isFailed) probes.failed += 1;
    if (isFailed || clock.now() - reportedAt >= REPORT_EVERY_MS) tell();
    if (!isFailed) return;
    probes.firstFailure ??= { at: new Date(began).toISOString(), detail };
    if (probes.failed === maxFailures + 1 && !stopped.signal.aborted)
      onFailure(probeFailed(probes, maxFailures, detail));
  }

  async function watch(): Promise<void> {
    while (!stopped.signal.aborted) {
      const request = probe().finally(() => pending.delete(request));
      pending.add(request);
      await clock.sleep(intervalMs, stopped.signal);
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
      if (probes.total > reported) tell();
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
