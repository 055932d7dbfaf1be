/** Whether the public address answered throughout a rollout: the proof that nobody outside has noticed. */

import type { Probes } from '../../rollout/model.js';
import type { DeployPorts } from '../core/deploy-ports.js';

const EVERY_MS = 1_000;

/** A request is failed when it is not answered within this. */
const ANSWER_WITHIN_MS = 5_000;

/**
 * Asks once a second until it is stopped, whether or not earlier requests were answered.
 * @returns ends it; gives what was counted once the requests under way have ended
 */
export function watchAvailability(
  { web, clock }: Pick<DeployPorts, 'web' | 'clock'>,
  url: string,
): () => Promise<Probes> {
  const stopped = new AbortController();
  const underWay = new Set<Promise<void>>();
  const probes: Probes = { url, total: 0, failed: 0, slowestMs: 0 };

  async function ask(): Promise<void> {
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
      const request = ask().finally(() => underWay.delete(request));
      underWay.add(request);
      await clock.sleep(EVERY_MS, stopped.signal);
    }
  }

  const watching = watch();
  return async () => {
    stopped.abort();
    await watching;
    await Promise.all(underWay);
    return probes;
  };
}
