import type { Refusal } from '../world.js';

export interface Answer {
  status: number;
  /** Sent as JSON; absent for 204. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** DigitalOcean's error ids by status. */
const ERROR_IDS: Record<number, string> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  422: 'unprocessable_entity',
  429: 'too_many_requests',
};

export const ok = (body: unknown): Answer => ({ status: 200, body });
export const created = (body: unknown): Answer => ({ status: 201, body });
export const noContent: Answer = { status: 204 };

export function problem(status: number, message: string, headers: Record<string, string> = {}): Answer {
  return { status, body: { id: ERROR_IDS[status] ?? 'server_error', message }, headers };
}

export const notFound = problem(404, 'The resource you requested could not be found.');
/** The example in the official description ends with a full stop; the real API's message does not. */
export const unauthorized = problem(401, 'Unable to authenticate you');
export const missingScope = problem(403, 'You are not authorized to perform this operation');

export function refusal({ kind, message }: Refusal): Answer {
  if (kind === 'not-found') return problem(404, message);
  // A busy balancer has the status of a missing permission; only the message differs.
  return problem(kind === 'busy' ? 403 : 422, message);
}
