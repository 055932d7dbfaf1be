/** DigitalOcean's API over HTTP: faults, token, rate limit, route, answer, log. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Faults, type Verdict } from '../faults.js';
import { listen, readBody, sendJson, shutDown } from '../http.js';
import { Refusal, type World } from '../world.js';
import { type Answer, missingScope, notFound, problem, refusal, unauthorized } from './answers.js';
import { dropletRoutes } from './droplets.js';
import { firewallRoutes } from './firewalls.js';
import { loadBalancerRoutes } from './load-balancers.js';
import { otherRoutes } from './others.js';
import { OFFICIAL_LIMITS, RateLimiter, type RateLimits } from './rate-limit.js';
import { registryRoutes } from './registries.js';
import { matchPath, type Route } from './route.js';
import { tagRoutes } from './tags.js';

/** All supported operations. */
export const ROUTES: readonly Route[] = [
  ...loadBalancerRoutes,
  ...dropletRoutes,
  ...tagRoutes,
  ...firewallRoutes,
  ...registryRoutes,
  ...otherRoutes,
];

/** A call and its outcome. Never contains the token. */
export interface ApiCall {
  /** When it arrived, in ms since the epoch. */
  at: number;
  method: string;
  /** With the query. */
  path: string;
  body?: unknown;
  /** The status, or why there was none. */
  outcome: number | 'dropped' | 'hung' | 'reply lost';
  ms: number;
}

export interface ApiToken {
  token: string;
  /** Default: all. */
  scopes?: string[];
}

export interface ApiServerOptions {
  world: World;
  tokens: ApiToken[];
  faults?: Faults;
  /** Can be changed in place while the server runs. */
  limits?: RateLimits;
  /** Default: a free port. */
  port?: number;
}

const LOG_LENGTH = 20_000;
const PROXY_PAGE = '<!DOCTYPE html><html><body><h1>Welcome to the guest network</h1></body></html>';

export class ApiServer {
  readonly faults: Faults;
  readonly limits: RateLimits;
  /** The latest calls, oldest first. */
  readonly log: ApiCall[] = [];

  readonly #world: World;
  readonly #tokens: Map<string, ApiToken>;
  readonly #limiters = new Map<string, RateLimiter>();
  readonly #server = createServer((request, response) => {
    // The client disconnected during its request.
    this.#serve(request, response).catch(() => response.destroy());
  });
  #port = 0;

  private constructor(options: ApiServerOptions) {
    this.#world = options.world;
    this.#tokens = new Map(options.tokens.map((token) => [token.token, token]));
    this.faults = options.faults ?? new Faults();
    this.limits = options.limits ?? { ...OFFICIAL_LIMITS };
  }

  static async start(options: ApiServerOptions): Promise<ApiServer> {
    const api = new ApiServer(options);
    api.#port = await listen(api.#server, options.port);
    return api;
  }

  /** With `/v2`, like DIGITALOCEAN_API_URL. */
  get url(): string {
    return `${this.#origin}/v2`;
  }

  get #origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  stop(): Promise<void> {
    return shutDown(this.#server);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = this.#world.clock.now();
    const url = new URL(request.url ?? '/', this.#origin);
    const method = request.method ?? 'GET';
    const text = await readBody(request);
    const body = parseJson(text);
    const finish = (outcome: ApiCall['outcome']) => {
      const ms = this.#world.clock.now() - at;
      this.log.push({
        at,
        method,
        path: url.pathname + url.search,
        body: body === MALFORMED ? text : body,
        outcome,
        ms,
      });
      if (this.log.length > LOG_LENGTH) this.log.shift();
    };

    const { delayMs, effect } = this.faults.judge(method, url.pathname);
    if (delayMs > 0) await new Promise<void>((resolve) => this.#world.clock.after(delayMs, resolve));
    if (effect === 'hang') return finish('hung');
    if (effect === 'drop') {
      finish('dropped');
      response.destroy();
      return;
    }
    if (effect === 'html') {
      finish(200);
      response.writeHead(200, { 'content-type': 'text/html' }).end(PROXY_PAGE);
      return;
    }
    const answer = this.#answerUnder(effect, () => this.#answer(method, url, body, request));
    if (effect === 'withhold-reply') return finish('hung');
    if (effect === 'lose-reply') {
      finish('reply lost');
      response.destroy();
      return;
    }
    finish(answer.status);
    this.#send(response, request, answer);
  }

  #answerUnder(effect: Verdict['effect'], apply: () => Answer): Answer {
    if (typeof effect !== 'object') return apply();
    if (effect.applied) apply();
    return { ...problem(effect.status, 'Something went wrong'), ...effect };
  }

  #answer(method: string, url: URL, body: unknown, request: IncomingMessage): Answer {
    const token = this.#tokenOf(request);
    if (token === undefined) return unauthorized;
    const refused = this.#limiter(token.token).admit(this.#world.clock.now());
    if (refused) return refused;
    for (const route of ROUTES) {
      const params = route.method === method ? matchPath(route, url.pathname) : undefined;
      if (params === undefined) continue;
      const can = (scope: string) => token.scopes?.includes(scope) ?? true;
      if (!route.scopes.every(can)) return missingScope;
      if (body === MALFORMED) return problem(422, 'the body is not JSON');
      try {
        return route.handle(this.#world, { url, params, body, can });
      } catch (error) {
        if (error instanceof Refusal) return refusal(error);
        return problem(500, `The sandbox itself failed: ${error}`);
      }
    }
    this.#world.unknownRequests.push(`${method} ${url.pathname}`);
    return notFound;
  }

  #send(response: ServerResponse, request: IncomingMessage, answer: Answer): void {
    const requestId = randomUUID();
    const token = this.#tokenOf(request);
    const limiter = token ? this.#limiter(token.token) : new RateLimiter(this.limits);
    const headers = { ...limiter.headers(this.#world.clock.now()), 'x-request-id': requestId, ...answer.headers };
    if (typeof answer.body === 'string') {
      response.writeHead(answer.status, { 'content-type': 'text/html', ...headers }).end(answer.body);
      return;
    }
    sendJson(response, answer.status, withRequestId(answer, requestId), headers);
  }

  #tokenOf(request: IncomingMessage): ApiToken | undefined {
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    return scheme?.toLowerCase() === 'bearer' ? this.#tokens.get(token ?? '') : undefined;
  }

  #limiter(token: string): RateLimiter {
    const limiter = this.#limiters.get(token) ?? new RateLimiter(this.limits);
    this.#limiters.set(token, limiter);
    return limiter;
  }
}

const MALFORMED = Symbol('malformed');

function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return MALFORMED;
  }
}

/** Errors of the usual format repeat the id of the header. */
function withRequestId({ status, body }: Answer, requestId: string): unknown {
  const isError = status >= 400 && typeof body === 'object' && body !== null && 'id' in body;
  return isError ? { ...body, request_id: requestId } : body;
}
