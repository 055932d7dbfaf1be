/** The text of an HTTP answer, as much of it as is of use. */
import type { LayerContext } from './layer.js';

/** How much of an answer is read. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** How long the text of a refusal may take, in ms: its status says more, and the handler's time would end without it. */
const REFUSAL_MS = 2_000;

/** At most 64 KiB, and of a refusal what arrives within 2 s, however it ends; what follows is not read. */
export async function readStart({ body, ok }: Response, sleep: LayerContext['sleep']): Promise<string> {
  if (body === null) return '';
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  const whole = readInto(chunks, reader);
  if (ok) {
    await whole;
  } else {
    const read = new AbortController();
    await Promise.race([whole.catch(() => {}), sleep(REFUSAL_MS, read.signal)]);
    read.abort();
  }
  await reader.cancel().catch(() => {});
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString('utf8');
}

async function readInto(chunks: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let bytes = 0; bytes < MAX_ANSWER_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) return;
    chunks.push(value);
    bytes += value.length;
  }
}
