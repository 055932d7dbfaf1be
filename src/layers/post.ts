/**
 * Requests of layers to other services. Bounded: an answer is read up to 64 KiB, and redirects are not followed, because
 * they would take the token elsewhere. Errors name no address and no token.
 */
import { readStart } from './answer.js';
import type { LayerContext } from './layer.js';
import { mask } from './mask.js';
import { line } from './notice.js';

const MAX_QUOTED = 200;
/** Shorter values of headers say nothing, such as `1`. */
const SHORTEST_SECRET = 4;

export interface ServiceRequest {
  /** Its name, for errors. */
  service: string;
  url: string;
  method?: 'POST' | 'PUT' | 'PATCH';
  headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body: unknown;
}

/** Resolves to the beginning of the answer. Throws what a user can read, unless the status is 2xx. */
export async function post(
  { fetch, signal, sleep }: Pick<LayerContext, 'fetch' | 'signal' | 'sleep'>,
  { service, url, method = 'POST', headers, body }: ServiceRequest,
): Promise<string> {
  let status: number;
  let answer: string;
  try {
    const response = await fetch(url, {
      method,
      headers: { accept: 'application/json', ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual',
    });
    status = response.status;
    answer = await readStart(response, sleep);
  } catch (error) {
    throw new Error(`${service} did not answer: ${hideIn(reasonOf(error, signal), headers)}`);
  }
  if (status >= 200 && status < 300) return answer;
  const words = line(hideIn(answer, headers), MAX_QUOTED);
  const redirect = status >= 300 && status < 400 ? ' (a redirect, which is not followed)' : '';
  throw new Error(`${service} answered ${status}${redirect}${words === '' ? '' : `: ${words}`}`);
}

/** Of fetch only the cause: its own messages may quote a header. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  const cause = signal.aborted ? signal.reason : error instanceof Error ? error.cause : undefined;
  const { message, code } = (cause ?? {}) as { message?: unknown; code?: unknown };
  return line(String(message || code || 'the request failed'), MAX_QUOTED);
}

/** A service may repeat what it was sent. `Bearer TOKEN`: the token is hidden by itself, too. */
function hideIn(text: string, headers: ServiceRequest['headers']): string {
  const secrets = Object.values(headers).flatMap((value) => [value, ...value.split(' ').slice(1)]);
  return mask(text, secrets, SHORTEST_SECRET);
}
