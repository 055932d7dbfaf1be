/** What one API call is, for the request itself, its errors and the trace. */
export interface Call {
  method: 'GET' | 'POST' | 'DELETE';
  /** Below the API's address, e.g. `/load_balancers`. */
  path: string;
  /** Completes the sentence "asked to …": `read load balancer 4de7ac8b`. */
  purpose: string;
  /** A change is repeated only when it certainly was not applied. */
  change: boolean;
  /** The token's scopes that this call needs. */
  scopes: readonly string[];
  /** What to check when the answer is 404. */
  ifNotFound?: string;
}

/** The fields used of an HTTP answer, as axios gives it. */
export interface Answer {
  status: number;
  data: unknown;
  headers: unknown;
  /** Node's request; tells the address that answered after redirects. */
  request?: unknown;
}

/**
 * All that do-deploy asks of a token. `load_balancer:update` only works waitForAll with the read scopes around it
 * (docs.digitalocean.com/reference/api/scopes/load_balancer/update).
 */
export const TOKEN_SCOPES = [
  'load_balancer:read',
  'load_balancer:update',
  'droplet:read',
  'droplet:update',
  'tag:read',
  'tag:create',
  'tag:delete',
  'firewall:read',
  'actions:read',
  'image:read',
  'regions:read',
  'sizes:read',
  'vpc:read',
] as const;

export const TOKENS_PAGE = 'https://cloud.digitalocean.com/account/api/tokens';
