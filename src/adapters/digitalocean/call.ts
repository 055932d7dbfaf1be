/** An API call, for the request itself, its errors and the trace. */
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

/** The fields of an axios answer that are used. */
export interface Answer {
  status: number;
  data: unknown;
  headers: unknown;
  /** Node's request; it has the address that answered after redirects. */
  request?: unknown;
}

/**
 * The scopes that do-deploy needs. `load_balancer:update` works only together with the read scopes around it
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
