/** A request of a layer, and the text of its answer, as much of it as is of use. */
import type { LayerContext } from './layer.js';

/** How much of an answer is read. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** How long the text of a refusal may take, in ms: its status says more, and the handler's time would end without it. */
const REFUSAL_MS = 2_000;

/** All end with the handler's time. */
export type Bounds = Pick<LayerContext, 'fetch' | 'signal' | 'sleep'>;

export interface JsonRequest {
  url: string | URL;
  /** JSON. */
  body: string;
  method?: 'POST' | 'PUT' | 'PATCH' | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** With an error, `status` says that the answer had begun, and that the rest of it is missing. */
export type Exchange = { ok: boolean; status: number; text: string } | { error: unknown; status?: number };

/** Never throws. Follows no redirect, which would take what is secret elsewhere. */
export async function exchange(
  { fetch, sleep }: Pick<Bounds, 'fetch' | 'sleep'>,
  { url, body, method = 'POST', headers }: JsonRequest,
): Promise<Exchange> {
  let begun: { status: number } | undefined;
  try {
    const response = await fetch(url, {
      method,
      body,
      // A kept connection may be closed by the other end at the moment of the next request.
      headers: { 'content-type': 'application/json', 'user-agent': 'do-deploy', connection: 'close', ...headers },
      redirect: 'manual',
    });
    const { ok, status } = response;
    begun = { status };
    return { ok, status, text: await readStart(response, sleep) };
  } catch (error) {
    return { error, ...begun };
  }
}

/** At most 64 KiB, and of a refusal what arrives within 2 s, however it ends; what follows is not read. */
async function readStart({ body, ok }: Response, sleep: LayerContext['sleep']): Promise<string> {
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
