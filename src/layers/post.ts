/** Requests of layers to other services with a token. Errors name no address and no token. */
import { type Bounds, exchange } from './exchange.js';
import { mask } from './mask.js';
import { line } from './notification.js';

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
export async function post(bounds: Bounds, { service, url, method, headers, body }: ServiceRequest): Promise<string> {
  const found = await exchange(bounds, {
    url,
    method,
    body: JSON.stringify(body),
    headers: { accept: 'application/json', ...headers },
  });
  if ('error' in found)
    throw new Error(`${service} did not answer: ${hideIn(reasonOf(found.error, bounds.signal), headers)}`);
  const { ok, status, text } = found;
  if (ok) return text;
  const words = line(hideIn(text, headers), MAX_QUOTED);
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
