import type { Secret } from '../../config/secret.js';
import { CloudError, type Outcome } from '../../errors.js';
import { rateLimited } from './budget.js';
import { type Call, TOKEN_SCOPES, TOKENS_PAGE } from './call.js';
import { headerNumber, headerText, property } from './headers.js';

/** Why the same request may be sent again; the bounds for each are in retry.ts. */
export type Retry =
  | 'never'
  | 'transient' // the request had no effect, or none that matters: a read, or nothing was sent
  | 'busy' // the balancer processes earlier actions
  | 'rate-limited';

/** One attempt that failed: the error to show, should it be the last one, and whether it need be. */
export class FailedAttempt extends Error {
  constructor(
    readonly error: CloudError,
    readonly retry: Retry,
    /** How long DigitalOcean asks to wait. */
    readonly waitMs?: number,
  ) {
    super(error.message);
  }
}

export interface FailureContext {
  call: Call;
  /** The API's address. */
  endpoint: URL;
  token: Secret;
  /** Milliseconds since the epoch. */
  now: number;
}

/**
 * Turns whatever a request threw into an error that is safe to show. An AxiosError carries the request's headers, and
 * with them the token, in several places (config, request, cause): it is read here and dropped, never kept as a cause.
 */
export function failedAttempt(thrown: unknown, context: FailureContext): FailedAttempt {
  const response = property(thrown, 'response');
  const status = property(response, 'status');
  return typeof status === 'number' ? refused(status, response, context) : unanswered(thrown, context);
}

/** An answer that is not DigitalOcean's: a proxy's page, another host's, or another shape. */
export function invalidAnswer(found: string, { call, endpoint }: FailureContext): FailedAttempt {
  const error = new CloudError(
    'invalid-answer',
    outcomeOf(call, 'unknown'),
    `${endpoint.host}${pathOf(call, endpoint)} did not answer as DigitalOcean's API does: ${found}.`,
    { hint: 'Check api_url (DIGITALOCEAN_API_URL), and whether a proxy (http_proxy, https_proxy) stands in between.' },
  );
  return new FailedAttempt(error, 'never');
}

// --- answers with an error status -------------------------------------------------------------------------------

function refused(status: number, response: unknown, context: FailureContext): FailedAttempt {
  const { call } = context;
  const said = apiError(response, context.token);
  const failed = (kind: CloudError['kind'], message: string, hint: string, outcome: Outcome = 'not-applied') =>
    new CloudError(kind, outcomeOf(call, outcome), `${message}${said?.request ?? ''}`, {
      hint,
      // A wrong token or a missing scope is a setting to fix, not an accident.
      source: kind === 'unauthorized' || kind === 'forbidden' ? 'user' : 'external',
    });
  const answered = `DigitalOcean answered ${status} when asked to ${call.purpose}${said ? `: ${said.message}` : '.'}`;

  if (status === 429) return tooMany(response, context);
  if (status >= 500 || status === 408) {
    const hint = 'Run again in a few minutes; https://status.digitalocean.com tells of known trouble.';
    const error = failed(status === 408 ? 'timeout' : 'server', answered, hint, 'unknown');
    return new FailedAttempt(error, call.change ? 'never' : 'transient', retryAfterMs(response));
  }
  // DigitalOcean explains every refusal. One without its form comes from something in between, and must not pass for
  // "not found" (the balancer is gone) or "forbidden" (the token lacks a scope).
  if (said === undefined) return invalidAnswer(`it answered ${status} without the API's error body`, context);

  if (status === 401) {
    const hint = `Check DO_TOKEN; make a new token at ${TOKENS_PAGE} with the scopes ${TOKEN_SCOPES.join(', ')}.`;
    return new FailedAttempt(failed('unauthorized', 'DigitalOcean refused the token (401).', hint), 'never');
  }
  if (status === 403 && /processes previous actions/i.test(said.message)) {
    const hint = 'Run again when the control panel shows the balancer idle; if it stays so, ask the support.';
    return new FailedAttempt(failed('busy', answered, hint), 'busy');
  }
  if (status === 403) {
    const scopes = call.scopes.join(' and ');
    const hint = `The token lacks ${scopes}: make one with ${call.scopes.length > 1 ? 'these scopes' : 'this scope'} at ${TOKENS_PAGE}.`;
    return new FailedAttempt(failed('forbidden', answered, hint), 'never');
  }
  if (status === 404) {
    const hint = call.ifNotFound ?? 'Check that it still exists, and that the token belongs to its team.';
    return new FailedAttempt(failed('not-found', answered, hint), 'never');
  }
  const hint = 'What was asked does not fit the present state: look at it in the control panel, then run again.';
  return new FailedAttempt(failed('unprocessable', answered, hint), 'never');
}

function tooMany(response: unknown, { now }: FailureContext): FailedAttempt {
  const headers = property(response, 'headers');
  const reset = headerNumber(headers, 'ratelimit-reset');
  const untilReset = reset === undefined ? undefined : Math.max(0, reset * 1_000 - now);
  const waitMs = retryAfterMs(response) ?? untilReset;
  return new FailedAttempt(rateLimited(waitMs === undefined ? undefined : now + waitMs), 'rate-limited', waitMs);
}

function retryAfterMs(response: unknown): number | undefined {
  const seconds = headerNumber(property(response, 'headers'), 'retry-after');
  return seconds === undefined ? undefined : Math.max(0, seconds * 1_000);
}

/** What DigitalOcean says: `{id, message, request_id?}`, or for a bad tag name `{error, root_causes}`. */
function apiError(response: unknown, token: Secret): { message: string; request: string } | undefined {
  const body = property(response, 'data');
  const message = typeof property(body, 'id') === 'string' ? property(body, 'message') : property(body, 'error');
  if (typeof message !== 'string') return undefined;
  const id = property(body, 'request_id') ?? headerText(property(response, 'headers'), 'x-request-id');
  const sentence = printable(message, token).replace(/\.?$/, '.');
  return { message: sentence, request: typeof id === 'string' && id ? ` Request ${printable(id, token)}.` : '' };
}

// --- no answer --------------------------------------------------------------------------------------------------

function unanswered(thrown: unknown, { call, endpoint, token }: FailureContext): FailedAttempt {
  const code = String(property(thrown, 'code') ?? '');
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const detail = printable(code || text, token);

  if (neverSent(thrown)) {
    const message = `Can't reach ${endpoint.host} to ${call.purpose} (${detail}).`;
    const hint = 'Check the connection to the internet, api_url (DIGITALOCEAN_API_URL), http_proxy and https_proxy.';
    return new FailedAttempt(new CloudError('network', 'not-applied', message, { hint }), 'transient');
  }
  if (CERTIFICATE_ERRORS.test(code)) {
    const message = `${endpoint.host} shows a certificate that Node does not trust (${detail}).`;
    const hint = "Check api_url; behind a company's proxy, set NODE_EXTRA_CA_CERTS to its certificate.";
    return new FailedAttempt(new CloudError('network', 'not-applied', message, { hint }), 'never');
  }
  const late = code === 'ETIMEDOUT' || (code === 'ECONNABORTED' && /timeout/i.test(text));
  const message = late
    ? `${endpoint.host} gave no answer in time when asked to ${call.purpose}.`
    : `The connection to ${endpoint.host} broke when it was asked to ${call.purpose} (${detail}).`;
  const hint = call.change
    ? 'Whether it was done is unknown: see what `do-deploy status` shows, then run again.'
    : 'Check the connection and run again.';
  const error = new CloudError(late ? 'timeout' : 'network', outcomeOf(call, 'unknown'), message, { hint });
  return new FailedAttempt(error, call.change ? 'never' : 'transient');
}

/** The TLS handshake comes before the request, so nothing was sent; and trying again shows the same certificate. */
const CERTIFICATE_ERRORS = /CERT|SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY|ERR_SSL|ERR_TLS|^EPROTO$/;

/**
 * Whether the request failed while looking up or connecting. The code alone does not tell: ETIMEDOUT and EHOSTUNREACH
 * also end connections that were made. Where several addresses were tried, all of their errors must be of that kind.
 */
function neverSent(thrown: unknown): boolean {
  if (property(thrown, 'code') === 'ECONNREFUSED') return true;
  const calls = systemCalls(thrown);
  return calls.length > 0 && calls.every((name) => name === 'connect' || name.startsWith('getaddrinfo'));
}

function systemCalls(thrown: unknown): string[] {
  const own = property(thrown, 'syscall');
  if (typeof own === 'string') return [own];
  const several = property(thrown, 'errors');
  const cause = property(thrown, 'cause');
  return Array.isArray(several) ? several.flatMap(systemCalls) : cause === undefined ? [] : systemCalls(cause);
}

// --- words ------------------------------------------------------------------------------------------------------

/** A read changes nothing, however it fails. */
function outcomeOf(call: Call, outcome: Outcome): Outcome {
  return call.change ? outcome : 'not-applied';
}

export function pathOf(call: Call, endpoint: URL): string {
  return `${endpoint.pathname.replace(/\/$/, '')}${call.path}`;
}

/** One line, of readable length, without control characters, and without the token should a server echo it. */
function printable(text: string, token: Secret): string {
  const secret = token.reveal();
  const safe = secret === '' ? text : text.replaceAll(secret, '[secret]');
  const line = safe.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
