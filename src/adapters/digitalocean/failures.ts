import type { Secret } from '../../config/secret.js';
import { inWords } from '../../durations.js';
import { CloudError, type Outcome, reasonOf } from '../../errors.js';
import { oneLine } from '../printable.js';
import { rateLimited } from './budget.js';
import { type Call, TOKEN_SCOPES, TOKENS_PAGE } from './call.js';
import { MAX_BODY_BYTES } from './client.js';
import { headerText, property, resetTime, retryAfter } from './headers.js';

/** Why the same request may be sent again; retry.ts has the bounds of each. */
export type Retry =
  | 'never'
  | 'transient' // the request had no effect, or none that matters: a read, or nothing was sent
  | 'busy' // the balancer is processing earlier actions
  | 'rate-limited';

/** A failed attempt: the error to show if it is the last one, and whether to try again. */
export class FailedAttempt extends Error {
  constructor(
    readonly error: CloudError,
    readonly retry: Retry,
    /** How long DigitalOcean asks to wait, in ms. */
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
  /** Where it is set: `DO_TOKEN in config/.env:1`. */
  tokenPlace?: string;
  /** Milliseconds since the epoch. */
  now: number;
  requestTimeoutMs: number;
}

/**
 * Turns whatever a request threw into an error that is safe to show. An AxiosError carries the request's headers, and
 * with them the token, in several places (config, request, cause): it is read here and never kept as a cause.
 */
export function failedAttempt(thrown: unknown, context: FailureContext): FailedAttempt {
  const response = property(thrown, 'response');
  const status = property(response, 'status');
  return typeof status === 'number' ? refused(status, response, context) : unanswered(thrown, context);
}

/** An answer that is not DigitalOcean's: a proxy's page, another host's, or another shape. */
export function invalidAnswer(found: string, context: FailureContext, response?: unknown): FailedAttempt {
  const { call, endpoint, token } = context;
  const message = `${endpoint.host}${pathOf(call, endpoint)} did not answer as DigitalOcean's API does: ${found}.`;
  const error = new CloudError(
    'invalid-answer',
    outcomeOf(call, 'unknown'),
    `${message}${requestId(response, token)}`,
    { hint: 'Check api_url (DIGITALOCEAN_API_URL), and the proxy settings (http_proxy, https_proxy).' },
  );
  return new FailedAttempt(error, 'never');
}

// --- answers with an error status -------------------------------------------------------------------------------

function refused(status: number, response: unknown, context: FailureContext): FailedAttempt {
  const { call } = context;
  const said = apiMessage(response, context.token);
  const request = requestId(response, context.token);
  const failed = (kind: CloudError['kind'], message: string, hint: string, outcome: Outcome = 'not-applied') =>
    new CloudError(kind, outcomeOf(call, outcome), `${message}${request}`, {
      hint,
      // A wrong token or a missing scope is a setting to fix, not an accident.
      source: kind === 'unauthorized' || kind === 'forbidden' ? 'user' : 'external',
    });
  const answered = `DigitalOcean answered ${status} when asked to ${call.purpose}${said === undefined ? '.' : `: ${said}`}`;

  if (status === 429) return tooMany(response, context);
  if (status >= 500 || status === 408) {
    const hint = 'Run again in a few minutes. Known incidents: https://status.digitalocean.com';
    const error = failed(status === 408 ? 'timeout' : 'server', answered, hint, 'unknown');
    return new FailedAttempt(error, call.change ? 'never' : 'transient', retryAfter(property(response, 'headers')));
  }
  // DigitalOcean explains every refusal. One without its form comes from something in between, and must not pass for
  // "not found" (the balancer is gone) or "forbidden" (the token lacks a scope).
  if (said === undefined) return invalidAnswer(`it answered ${status} without the API's error body`, context, response);

  if (status === 401) {
    const hint = `Check ${context.tokenPlace ?? 'DO_TOKEN'}. Create a token at ${TOKENS_PAGE} with the scopes ${TOKEN_SCOPES.join(', ')}.`;
    return new FailedAttempt(failed('unauthorized', 'DigitalOcean refused the token (401).', hint), 'never');
  }
  if (status === 403 && /processes previous actions/i.test(said)) {
    const hint = 'Run again when the control panel shows the balancer as idle; if it stays busy, contact support.';
    return new FailedAttempt(failed('busy', answered, hint), 'busy');
  }
  if (status === 403) {
    const scopes = call.scopes.join(' and ');
    const hint = `The token lacks ${scopes}: create one with ${call.scopes.length > 1 ? 'these scopes' : 'this scope'} at ${TOKENS_PAGE}.`;
    return new FailedAttempt(failed('forbidden', answered, hint), 'never');
  }
  if (status === 404) {
    const hint = call.ifNotFound ?? 'Check that it still exists, and that the token belongs to its team.';
    return new FailedAttempt(failed('not-found', answered, hint), 'never');
  }
  const hint = 'Check the state of the balancer and the droplets in the control panel, then run again.';
  return new FailedAttempt(failed('unprocessable', answered, hint), 'never');
}

function tooMany(response: unknown, { now, token }: FailureContext): FailedAttempt {
  const headers = property(response, 'headers');
  const reset = resetTime(headers, now);
  const waitMs = retryAfter(headers) ?? (reset === undefined ? undefined : Math.max(0, reset - now));
  const free = waitMs === undefined ? undefined : now + waitMs;
  const odd = ['retry-after', 'ratelimit-reset'].find((name) => headerText(headers, name) !== undefined);
  const note =
    waitMs === undefined && odd !== undefined
      ? ` It says ${odd}: ${printable(headerText(headers, odd) ?? '', token)}, which is no plausible time.`
      : '';
  const error = rateLimited(free, `${note}${requestId(response, token)}`);
  return new FailedAttempt(error, 'rate-limited', waitMs);
}

/** What DigitalOcean says: `{id, message, request_id?}`, or for a bad tag name `{error, root_causes}`. */
function apiMessage(response: unknown, token: Secret): string | undefined {
  const body = property(response, 'data');
  const message = typeof property(body, 'id') === 'string' ? property(body, 'message') : property(body, 'error');
  return typeof message === 'string' ? printable(message, token).replace(/\.?$/, '.') : undefined;
}

/** ` Request ID.`, which DigitalOcean's support asks for; '' without one. */
function requestId(response: unknown, token: Secret): string {
  const own = property(property(response, 'data'), 'request_id');
  const id = typeof own === 'string' && own !== '' ? own : headerText(property(response, 'headers'), 'x-request-id');
  return id ? ` Request ${printable(id, token).slice(0, 100)}.` : '';
}

// --- no answer --------------------------------------------------------------------------------------------------

function unanswered(thrown: unknown, context: FailureContext): FailedAttempt {
  const { call, endpoint, token, requestTimeoutMs } = context;
  const code = String(property(thrown, 'code') ?? '');
  const text = reasonOf(thrown);
  const detail = printable(code || text, token);

  if (/^maxContentLength size of/.test(text)) {
    return invalidAnswer(`its answer is larger than ${MAX_BODY_BYTES / 1024 / 1024} MiB`, context);
  }
  if (neverSent(thrown)) {
    const message = `Can't reach ${endpoint.host} to ${call.purpose} (${detail}).`;
    const hint = 'Check the internet connection, api_url (DIGITALOCEAN_API_URL), http_proxy and https_proxy.';
    return new FailedAttempt(new CloudError('network', 'not-applied', message, { hint }), 'transient');
  }
  if (CERTIFICATE_ERRORS.test(code)) {
    const message = `${endpoint.host} presents a certificate that Node.js does not trust (${detail}).`;
    const hint = "Check api_url; behind a company's proxy, set NODE_EXTRA_CA_CERTS to its certificate.";
    return new FailedAttempt(new CloudError('network', 'not-applied', message, { hint }), 'never');
  }
  const late = /^(ETIMEDOUT|ERR_CANCELED)$/.test(code) || (code === 'ECONNABORTED' && /timeout/i.test(text));
  const message = late
    ? `${endpoint.host} did not answer completely within ${inWords(requestTimeoutMs)} when asked to ${call.purpose}.`
    : `The connection to ${endpoint.host} broke when it was asked to ${call.purpose} (${detail}).`;
  const hint = call.change
    ? 'It is unknown whether the change was made: check `do-deploy status`, then run again.'
    : 'Check the connection and run again.';
  const error = new CloudError(late ? 'timeout' : 'network', outcomeOf(call, 'unknown'), message, { hint });
  return new FailedAttempt(error, call.change ? 'never' : 'transient');
}

/** The TLS handshake precedes the request, so nothing was sent; another attempt would meet the same certificate. */
const CERTIFICATE_ERRORS = /CERT|SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY|ERR_SSL|ERR_TLS|^EPROTO$/;

/**
 * Whether the request failed during name resolution or while connecting. The code alone is ambiguous: ETIMEDOUT and
 * EHOSTUNREACH also end established connections. Where several addresses were tried, all errors must be of that kind.
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

/** One line of readable length, without the token, should a server echo it. */
function printable(text: string, token: Secret): string {
  const secret = token.reveal();
  return oneLine(secret === '' ? text : text.replaceAll(secret, '[secret]'));
}
