/**
 * Who has to act on an error: `user` (a setting, an argument), `external` (DigitalOcean, a droplet, the network, an
 * image) or `bug` (do-deploy itself).
 */
export type ErrorSource = 'user' | 'external' | 'bug';

export interface DeployErrorOptions {
  source?: ErrorSource;
  /** The next thing to type or change, one sentence. */
  hint?: string;
  droplet?: string;
  step?: string;
  cause?: unknown;
}

/** Code of the error after a question of a layer that was not answered with yes. */
export const NOT_CONFIRMED = 'not-confirmed';

/** An error as events, reports and `--json` carry it: plain data without a stack or a secret. */
export interface ErrorInfo {
  code: string;
  message: string;
  source: ErrorSource;
  hint?: string;
  droplet?: string;
  step?: string;
}

/** The one error class. `code` is stable and in kebab case: scripts and tests match on it, never on the message. */
export class DeployError extends Error {
  override readonly name: string = 'DeployError';
  readonly code: string;
  readonly source: ErrorSource;
  readonly hint?: string;
  readonly droplet?: string;
  readonly step?: string;

  constructor(code: string, message: string, options: DeployErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.source = options.source ?? 'external';
    this.hint = options.hint;
    this.droplet = options.droplet;
    this.step = options.step;
  }

  /** The same error with the droplet and the step where it happened. */
  at(place: { droplet?: string; step?: string }): DeployError {
    const droplet = this.droplet ?? place.droplet;
    const step = this.step ?? place.step;
    const copy = new DeployError(this.code, this.message, {
      source: this.source,
      hint: this.hint,
      droplet,
      step,
      cause: this.cause,
    });
    if (this.stack !== undefined) copy.stack = this.stack;
    return copy;
  }

  info(): ErrorInfo {
    return {
      code: this.code,
      message: this.message,
      source: this.source,
      hint: this.hint,
      droplet: this.droplet,
      step: this.step,
    };
  }
}

/** Any thrown value as a DeployError. A value of another class is a bug in do-deploy. */
export function asDeployError(error: unknown): DeployError {
  if (isDeployError(error)) return error;
  const message = reasonOf(error);
  return new DeployError('bug', message, {
    source: 'bug',
    hint: 'This is a bug in do-deploy. Run again with --verbose and report the output.',
    cause: error,
  });
}

/** Also of a value that throws when it is asked anything, such as a revoked Proxy. */
export function isDeployError(thrown: unknown): thrown is DeployError {
  try {
    return thrown instanceof DeployError;
  } catch {
    return false;
  }
}

/**
 * Whether a failed call changed anything: `not-applied` (certainly not) or `unknown` (the answer was lost; read the
 * state back before deciding anything).
 */
export type Outcome = 'not-applied' | 'unknown';

/** A failed call to DigitalOcean. Never carries the request, which contains the token. */
export class CloudError extends DeployError {
  override readonly name = 'CloudError';
  readonly kind:
    | 'unauthorized' // 401: the token is wrong or expired
    | 'forbidden' // 403: a scope is missing
    | 'busy' // 403 "processes previous actions", still so after waiting
    | 'not-found'
    | 'unprocessable'
    | 'rate-limited' // 429, still so after waiting
    | 'server' // 5xx
    | 'timeout'
    | 'network'
    | 'invalid-answer'; // 2xx, but not what the API describes (a proxy's page)
  readonly outcome: Outcome;

  constructor(kind: CloudError['kind'], outcome: Outcome, message: string, options: DeployErrorOptions = {}) {
    super(`cloud-${kind}`, message, options);
    this.kind = kind;
    this.outcome = outcome;
  }
}

/** A remote command or transfer without a usable result. A non-zero exit code is a result, not an error. */
export class ShellError extends DeployError {
  override readonly name = 'ShellError';
  readonly kind:
    | 'unreachable' // refused, no route, no answer before anything ran
    | 'auth' // the server accepted no key
    | 'host-key' // unknown under `strict`, or changed
    | 'lost' // the connection dropped while it ran
    | 'timeout' // it did not finish in time
    | 'signal' // it was killed on the droplet, or interrupted
    | 'output-limit' // it printed more than it may
    | 'no-shell' // a login shell or a forced command ran something else
    | 'transfer'; // the upload failed: no space, no permission
  readonly outcome: Outcome;

  constructor(kind: ShellError['kind'], outcome: Outcome, message: string, options: DeployErrorOptions = {}) {
    super(`ssh-${kind}`, message, options);
    this.kind = kind;
    this.outcome = outcome;
  }
}

/** Characters of a thrown value that is no Error. */
const MAX_THROWN = 500;

/** What a thrown value says; also of one that is no Error, or cannot be made a text. */
export function reasonOf(thrown: unknown): string {
  try {
    // Of several attempts to connect, as to both addresses of localhost, only the errors of each say something.
    if (thrown instanceof AggregateError && thrown.message === '')
      return [...new Set(thrown.errors.map(reasonOf))].join('; ');
    if (thrown instanceof Error) return String(thrown.message);
    if (typeof thrown !== 'object' || thrown === null) return String(thrown);
    const { message } = thrown as { message?: unknown };
    return typeof message === 'string' ? message : (JSON.stringify(thrown)?.slice(0, MAX_THROWN) ?? String(thrown));
  } catch {
    return 'it threw a value that cannot be shown';
  }
}
