/** Probes the public address throughout a rollout, to show that it kept answering. */

import type { StatusRange } from '../../config/settings.js';
import type { Probes } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';

const PROBE_INTERVAL_MS = 1_000;

/** A probe that is not answered within this time has failed. */
const ANSWER_WITHIN_MS = 5_000;

export function isExpected(status: number | undefined, expect: readonly StatusRange[]): boolean {
  return status !== undefined && expect.some(({ from, to }) => status >= from && status <= to);
}

/**
 * Probes the address once a second until stopped, whether or not earlier probes have been answered.
 * @returns a function that stops it and returns the counts once pending probes have ended
 */
export function watchAvailability(
  { web, clock }: Pick<DeployPorts, 'web' | 'clock'>,
  url: string,
): () => Promise<Probes> {
  const stopped = new AbortController();
  const pending = new Set<Promise<void>>();
  const probes: Probes = { url, total: 0, failed: 0, slowestMs: 0 };

  async function probe(): Promise<void> {
    const began = clock.now();
    const { ok, detail } = await web.get(url, ANSWER_WITHIN_MS);
    probes.total += 1;
    probes.slowestMs = Math.max(probes.slowestMs, clock.now() - began);
    if (ok) return;
    probes.failed += 1;
    probes.firstFailure ??= { at: new Date(began).toISOString(), detail };
  }

  async function watch(): Promise<void> {
    while (!stopped.signal.aborted) {
      const request = probe().finally(() => pending.delete(request));
      pending.add(request);
      await clock.sleep(PROBE_INTERVAL_MS, stopped.signal);
    }
  }

  const watching = watch();
  return async () => {
    stopped.abort();
    await watching;
    await Promise.all(pending);
    return probes;
  };
}
