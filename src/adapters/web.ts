/** One look at a public address, as a visitor would take it. */
import type { Web } from '../ports.js';

export const web: Web = {
  async get(url, timeoutMs) {
    try {
      const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
      // A page that breaks off is no answer.
      await response.arrayBuffer();
      return { ok: response.status < 400, detail: `HTTP ${response.status}` };
    } catch (error) {
      return { ok: false, detail: reasonOf(error, timeoutMs) };
    }
  },
};

function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1_000} s`;
  // fetch says only that it failed; its cause says why.
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && cause.message ? cause.message : error.message;
}
