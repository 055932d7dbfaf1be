/** Requests to a webhook. Its address is a secret: no error repeats it, nor what a server makes of it. */
import { z } from 'zod';
import { type Bounds, exchange, type JsonRequest } from './exchange.js';
import { mask } from './mask.js';
import { line } from './notification.js';

/** How much of it an error quotes. */
const MAX_WORDS = 200;
/** Shorter parts of an address are words such as "services". */
const SHORTEST_PART = 9;

const ADDRESS = 'must be an address that begins with https:// (or http://), without user and password';

/** The setting that holds the address of a webhook. */
export const address = z
  .string({ error: ({ input }) => (input === undefined ? undefined : ADDRESS) })
  .refine((text) => isAddress(text), { error: ADDRESS })
  .transform((text) => new URL(text));

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

export type Answer =
  | { ok: true; text: string }
  /** `passing`: a second try may succeed. `status` is absent without a connection. */
  | { ok: false; reason: string; passing: boolean; status?: number };

export type Request = JsonRequest & { url: URL };

/** Posts a message as JSON. Throws if it was not accepted. */
export async function postJson(bounds: Bounds, url: URL, message: unknown): Promise<void> {
  accepted(await send(bounds, { url, body: JSON.stringify(message) }));
}

/** The text of a good answer; throws for any other. */
export function accepted(answer: Answer): string {
  if (answer.ok) return answer.text;
  throw new Error(answer.reason);
}

/** Throws only when the handler's time is over. */
export async function send(bounds: Bounds, request: Request): Promise<Answer> {
  const found = await exchange(bounds, request);
  if ('error' in found) {
    if (bounds.signal.aborted) throw bounds.signal.reason;
    const { status, error } = found;
    const reason = `${status === undefined ? 'no connection' : 'the answer broke off'} (${codeOf(error)})`;
    return { ok: false, passing: true, reason, ...(status !== undefined && { status }) };
  }
  const { ok, status, text } = found;
  return ok ? { ok, text } : { ok, status, passing: status >= 500, reason: refusal(status, text, request.url) };
}

function refusal(status: number, text: string, url: URL): string {
  if (status >= 300 && status < 400) return `HTTP ${status}: redirects are not followed`;
  const words = line(withoutAddress(text, url), MAX_WORDS);
  return words === '' ? `HTTP ${status}` : `HTTP ${status}: ${words}`;
}

/** Servers repeat the path that they do not know. */
function withoutAddress(text: string, { href, pathname, search, searchParams }: URL): string {
  return mask(text, [href, pathname + search, ...pathname.split('/'), ...searchParams.values()], SHORTEST_PART);
}

/** Only a code: messages of fetch quote the address. */
function codeOf(error: unknown): string {
  const { cause, code } = error as { cause?: { code?: unknown }; code?: unknown };
  const found = cause?.code ?? code;
  return typeof found === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(found) ? found : 'unknown reason';
}
