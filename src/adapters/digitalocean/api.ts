import type { z } from 'zod';
import type { Secret } from '../../config/secret.js';
import { inWords } from '../../durations.js';
import { CloudError } from '../../errors.js';
import type { BeforeChange, Clock, OnTrace } from '../../ports.js';
import type { Page } from './answers.js';
import { RequestBudget } from './budget.js';
import type { Answer, Call } from './call.js';
import { boundsOf, type Client, createClient, isLoopback } from './client.js';
import { FailedAttempt, failedAttempt, invalidAnswer, pathOf } from './failures.js';
import { property } from './headers.js';
import { type RetryBounds, retryBounds, withRetries } from './retry.js';

/** The API's maximum. */
const PER_PAGE = 200;
/** 100,000 droplets: far above any account. Ends a server that always links to a next page. */
const MAX_PAGES = 500;
/** Bounds reading all pages, from the first request to the last answer. */
const MAX_LIST_MS = 10 * 60_000;

export interface ApiOptions {
  token: Secret;
  /** Where it is set; for messages. */
  tokenPlace?: string;
  /** With its version, e.g. `https://api.digitalocean.com/v2`. */
  apiUrl: string;
  clock: Clock;
  /** Called for every request. */
  onTrace?: OnTrace;
  requestTimeoutMs: number;
  /** How long a balancer may be busy with earlier actions. */
  busyTimeoutMs: number;
}

/** Everything that all calls share: budget, timeout, checks, errors, retries, trace. */
export class DigitalOceanApi {
  readonly #options: ApiOptions;
  readonly #endpoint: URL;
  readonly #budget: RequestBudget;
  readonly #bounds: RetryBounds;
  #client: Promise<Client> | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#endpoint = new URL(options.apiUrl);
    this.#budget = new RequestBudget(options.clock);
    this.#bounds = retryBounds(options.busyTimeoutMs);
  }

  /** Sends the call and parses its answer by the schema. Throws CloudError, or what `before` throws. */
  request<T>(
    call: Call,
    send: (client: Client) => Promise<Answer>,
    schema: z.ZodType<T>,
    before?: BeforeChange,
  ): Promise<T> {
    return withRetries(() => this.#attempt(call, send, schema, before), this.#options.clock, this.#bounds);
  }

  /** All items of a list. An item that moves to the next page between two requests counts once. */
  async everyPage<T extends { id: string | number }>(
    call: Call,
    send: (client: Client, page: { page: number; per_page: number }) => Promise<Answer>,
    schema: z.ZodType<Page<T>>,
  ): Promise<T[]> {
    const found = new Map<T['id'], T>();
    const latest = this.#options.clock.now() + MAX_LIST_MS;
    for (let page = 1; page <= MAX_PAGES; page++) {
      if (this.#options.clock.now() > latest) throw this.#tooSlow(call, page);
      const before = found.size;
      const answer = await this.request(call, (client) => send(client, { page, per_page: PER_PAGE }), schema);
      for (const item of answer.items) found.set(item.id, item);
      if (!answer.linksOn && (answer.total ?? 0) <= found.size) return [...found.values()];
      if (found.size === before) {
        if (!answer.linksOn) return [...found.values()];
        break;
      }
    }
    throw invalidAnswer('its pages have no end', this.#context(call)).error;
  }

  #tooSlow({ purpose }: Call, page: number): CloudError {
    const message = `${this.#endpoint.host} is too slow to ${purpose}: page ${page} after ${inWords(MAX_LIST_MS)}.`;
    return new CloudError('timeout', 'not-applied', message, {
      hint: 'Run again in a few minutes. Known incidents: https://status.digitalocean.com',
    });
  }

  get #base(): string {
    return this.#options.apiUrl.replace(/\/+$/, '');
  }

  /** A GET that dots-wrapper lacks, by the same HTTP library: answers, errors and proxies are the same. */
  async get(path: string, params: Record<string, string | number>): Promise<Answer> {
    const { default: axios } = await import('axios');
    return await axios.get(`${this.#base}${path}`, {
      params,
      headers: { Authorization: `Bearer ${this.#options.token.reveal()}` },
      ...boundsOf(this.#options.requestTimeoutMs),
      ...(isLoopback(this.#base) && { proxy: false }),
    });
  }

  async #attempt<T>(
    call: Call,
    send: (client: Client) => Promise<Answer>,
    schema: z.ZodType<T>,
    before?: BeforeChange,
  ): Promise<T> {
    const { clock } = this.#options;
    const client = await this.#connect();
    await this.#budget.spend();
    await before?.();
    const started = clock.now();
    let end = 'failed';
    let id: string | undefined;
    try {
      const answer = await send(client);
      end = String(answer.status);
      id = requestId(answer);
      return this.#read(call, answer, schema);
    } catch (thrown) {
      const failed = thrown instanceof FailedAttempt ? thrown : this.#failure(call, thrown);
      id ??= requestId(property(thrown, 'response'));
      if (end === 'failed') end = String(property(property(thrown, 'response'), 'status') ?? failed.error.kind);
      throw failed;
    } finally {
      const what = `${call.method} ${pathOf(call, this.#endpoint)} ${end}`;
      this.#options.onTrace?.({ kind: 'http', what, ms: clock.now() - started, ...(id && { detail: id }) });
    }
  }

  #read<T>(call: Call, answer: Answer, schema: z.ZodType<T>): T {
    this.#budget.observe(answer.headers);
    const context = this.#context(call);
    const elsewhere = this.#redirectedTo(answer);
    if (elsewhere !== undefined) throw invalidAnswer(`it redirects to ${elsewhere}`, context);
    const result = schema.safeParse(answer.data);
    if (result.success) return result.data;
    // Not the values: they may be anything, and the shape is what is wrong.
    const issue = result.error.issues[0];
    const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
    const found = typeof answer.data === 'string' ? `text instead of ${expected(call)}` : `${where}${issue?.message}`;
    throw invalidAnswer(`it answered ${answer.status} with ${found}`, context, answer);
  }

  #failure(call: Call, thrown: unknown): FailedAttempt {
    const response = property(thrown, 'response');
    this.#budget.observe(property(response, 'headers'));
    const elsewhere = this.#redirectedTo(response);
    if (elsewhere !== undefined) return invalidAnswer(`it redirects to ${elsewhere}`, this.#context(call));
    const failed = failedAttempt(thrown, this.#context(call));
    // The other requests of this run wait too, instead of each finding out for itself.
    if (failed.retry === 'rate-limited') this.#budget.pauseUntil(this.#options.clock.now() + (failed.waitMs ?? 0));
    return failed;
  }

  /**
   * axios follows redirects, without the token when they lead to another origin: an answer from there is not
   * DigitalOcean's, whatever it looks like.
   */
  #redirectedTo(answer: unknown): string | undefined {
    const url = property(property(property(answer, 'request'), 'res'), 'responseUrl');
    if (typeof url !== 'string' || !URL.canParse(url)) return undefined;
    const { origin } = new URL(url);
    return origin === this.#endpoint.origin ? undefined : origin;
  }

  #context(call: Call) {
    const { token, tokenPlace, clock, requestTimeoutMs } = this.#options;
    return { call, endpoint: this.#endpoint, token, tokenPlace, now: clock.now(), requestTimeoutMs };
  }

  #connect(): Promise<Client> {
    this.#client ??= createClient({
      token: this.#options.token.reveal(),
      endpoint: this.#base,
      requestTimeoutInMs: this.#options.requestTimeoutMs,
    });
    return this.#client;
  }
}

function expected(call: Call): string {
  return call.change ? 'no content' : 'JSON';
}

/** Of an answer, for DigitalOcean's support: `request f7d9a2c0-…`. */
function requestId(answer: unknown): string | undefined {
  const id = property(property(answer, 'headers'), 'x-request-id');
  return typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? `request ${id}` : undefined;
}
