/**
 * Requests of layers to other services. Bounded: an answer is read up to 64 KiB, and redirects are not followed, because
 * they would take the token elsewhere. Errors name no address and no token.
 */
import { z } from 'zod';
import type { LayerContext } from './layer.js';

const MAX_ANSWER_BYTES = 64 * 1024;
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
  { fetch, signal }: Pick<LayerContext, 'fetch' | 'signal'>,
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
    answer = await beginningOf(response);
  } catch (error) {
    throw new Error(`${service} did not answer: ${hideIn(reasonOf(error, signal), headers)}`);
  }
  if (status >= 200 && status < 300) return answer;
  const words = oneLine(hideIn(answer, headers), MAX_QUOTED);
  const redirect = status >= 300 && status < 400 ? ' (a redirect, which is not followed)' : '';
  throw new Error(`${service} answered ${status}${redirect}${words === '' ? '' : `: ${words}`}`);
}

async function beginningOf({ body }: Response): Promise<string> {
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop closes the connection.
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString('utf8');
}

/** Of fetch only the cause: its own messages may quote a header. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  const cause = signal.aborted ? signal.reason : error instanceof Error ? error.cause : undefined;
  const { message, code } = (cause ?? {}) as { message?: unknown; code?: unknown };
  return oneLine(String(message || code || 'the request failed'), MAX_QUOTED);
}

/** A service may repeat what it was sent. `Bearer TOKEN`: the token is hidden by itself, too. */
function hideIn(text: string, headers: ServiceRequest['headers']): string {
  const secrets = Object.values(headers).flatMap((value) => [value, ...value.split(' ').slice(1)]);
  const long = secrets.filter((secret) => secret.length >= SHORTEST_SECRET).sort((a, b) => b.length - a.length);
  return long.reduce((shown, secret) => shown.replaceAll(secret, '[secret]'), text);
}

/** Without control characters, line breaks and characters that change the direction of text; cut to `length`. */
export function oneLine(text: string, length: number): string {
  const clean = text.replace(/[\s\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim();
  return clean.length <= length ? clean : `${clean.slice(0, length - 1)}…`;
}

const ADDRESS = 'must be an address that begins with https:// or http://, without a user, a password and a query';

/** The address of a service, without a slash at its end. */
export function serviceUrl() {
  return z
    .string({ error: ADDRESS })
    .refine(isServiceUrl, { error: ADDRESS })
    .transform((url) => url.replace(/\/+$/, ''));
}

function isServiceUrl(text: string): boolean {
  if (!/^https?:\/\/[^\s?#]+$/i.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

/** A secret that goes into a header. */
export function token() {
  const error = 'must be a text without blanks and line breaks';
  return z.string({ error }).regex(/^[\x21-\x7e]{1,4096}$/, { error });
}

/** Text from the file, of one line. */
export function words(most = 200) {
  const error = `must be a text of 1 to ${most} characters, in one line`;
  const isLine = (text: string) => text.trim() !== '' && text.length <= most && !/\p{Cc}/u.test(text);
  return z.string({ error }).refine(isLine, { error });
}

export function listOfWords() {
  return z.array(words(), { error: 'must be a list of texts' }).max(50, { error: 'must have at most 50 entries' });
}
