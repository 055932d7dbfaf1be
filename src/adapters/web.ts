/** Requests to a public address, as a visitor makes them. */

import { inWords } from '../durations.js';
import type { Web } from '../ports.js';

/** A page that is larger than this counts as complete: an endless one must not fill the memory. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export const web: Web = {
  async get(url, timeoutMs) {
    try {
      const response = await fetch(url, {
        // A kept connection may be closed by the other end at the moment of the next request.
        headers: { connection: 'close' },
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      // A page that breaks off is no answer.
      await readBody(response);
      const { status } = response;
      return { status, detail: `HTTP ${status}` };
    } catch (error) {
      return { detail: reasonOf(error, timeoutMs), ...(isUnresolved(error) && { isUnresolved: true }) };
    }
  },
};

async function readBody({ body }: Response): Promise<void> {
  if (body === null) return;
  const reader = body.getReader();
  for (let bytes = 0; bytes < MAX_BODY_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) return;
    bytes += value.length;
  }
  await reader.cancel();
}

/** `EAI_AGAIN` is no answer of the name server, which may be there again a moment later. */
function isUnresolved(error: unknown): boolean {
  return ((error as { cause?: { code?: unknown } }).cause?.code ?? '') === 'ENOTFOUND';
}

function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${inWords(timeoutMs)}`;
  // fetch says only that it failed; its cause says why.
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && cause.message ? cause.message : error.message;
}
