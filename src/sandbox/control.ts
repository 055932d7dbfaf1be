/**
 * The sandbox's control endpoint, on a loopback port: faults, and changes that someone else makes to the region during a
 * deploy. README.md in this folder lists the requests.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { RateLimits } from './api/rate-limit.js';
import type { ApiServer } from './api/server.js';
import type { Balancer } from './balancer.js';
import { SHOP } from './docker/images/example-registry.js';
import type { Registry } from './docker/registry.js';
import { asObject, type DropletFaultSwitch, parseFaultRule } from './faults.js';
import { listen, readBody, sendJson, shutDown } from './http.js';
import type { DropletRecord, Timing } from './records.js';
import { Refusal, type World } from './world.js';

export interface NewDroplet {
  name?: string;
  tags?: string[];
  /** The autoscale pool that creates it. */
  pool?: string;
}

export interface ControlOptions {
  world: World;
  api: ApiServer;
  balancers: readonly Balancer[];
  registry: Registry;
  dropletFaults: DropletFaultSwitch;
  /** Creates a droplet with its machine. It joins balancers only by its tags. */
  addDroplet: (wish: NewDroplet) => Promise<DropletRecord>;
  /** Destroys the machine too. */
  destroyDroplet: (id: number) => Promise<void>;
  /** Default: a free port. */
  port?: number;
}

type Body = Record<string, unknown>;
/** @param words what the groups of the path's pattern matched */
type Run = (words: string[], body: Body) => unknown;

export class ControlServer {
  readonly #options: ControlOptions;
  readonly #initial: Timing & RateLimits;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #port = 0;

  private constructor(options: ControlOptions) {
    this.#options = options;
    this.#initial = { ...options.world.timing, ...options.api.limits };
  }

  static async start(options: ControlOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    control.#port = await listen(control.#server, options.port);
    return control;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  stop(): Promise<void> {
    return shutDown(this.#server);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const text = await readBody(request);
      const body = text === '' ? {} : asObject(JSON.parse(text), 'the body');
      const asked = `${request.method} ${new URL(request.url ?? '/', this.url).pathname}`;
      for (const [pattern, run] of this.#commands) {
        const match = new RegExp(`^${pattern}$`).exec(asked);
        if (match) return sendJson(response, 200, (await run(match.slice(1), body)) ?? { done: true });
      }
      const known = this.#commands.map(([pattern]) => pattern);
      sendJson(response, 404, { error: `no such command: ${asked}`, known });
    } catch (error) {
      sendJson(response, 422, { error: (error as Error).message });
    }
  }

  readonly #commands: [pattern: string, run: Run][] = [
    ['GET /state', () => this.#state()],
    ['GET /log', () => this.#options.api.log],
    ['GET /faults', () => this.#faults()],
    ['POST /faults', (_, body) => this.#addFault(body)],
    ['DELETE /faults', () => this.#clearFaults()],
    ['DELETE /faults/(\\d+)', ([id]) => this.#options.api.faults.remove(Number(id))],
    ['POST /droplets', async (_, body) => dropletState(await this.#options.addDroplet(parseNewDroplet(body)))],
    [
      'PATCH /droplets/([^/]+)',
      ([key], { status }) => {
        this.#droplet(key).status = oneOf(['active', 'off'] as const, status, 'status');
      },
    ],
    ['DELETE /droplets/([^/]+)', ([key]) => this.#options.destroyDroplet(this.#droplet(key).id)],
    [
      'PATCH /balancers/([^/]+)',
      ([id = ''], { status }) => {
        this.#options.world.balancer(id).status = oneOf(['new', 'active', 'errored'] as const, status, 'status');
      },
    ],
    [
      'POST /balancers/([^/]+)/(add|remove)',
      ([id = '', verb], body) => {
        const { world } = this.#options;
        if (verb === 'add') world.addToBalancer(id, this.#dropletIds(body));
        else world.removeFromBalancer(id, this.#dropletIds(body));
      },
    ],
    [
      'POST /tags/([^/]+)/(add|remove)',
      ([tag = '', verb], body) => {
        const { world } = this.#options;
        world.createTag(tag);
        if (verb === 'add') world.tagDroplets(tag, this.#dropletIds(body));
        else world.untagDroplets(tag, this.#dropletIds(body));
      },
    ],
    [
      'PATCH /registry',
      (_, { running }) => {
        const { registry } = this.#options;
        if (oneOf([true, false] as const, running, 'running')) registry.start();
        else registry.stop();
      },
    ],
    [
      'PUT /registry/tags/([\\w.-]+)',
      ([tag = ''], { image }) => this.#options.registry.moveTag(SHOP, tag, String(image)),
    ],
  ];

  #state(): unknown {
    const { world, api, balancers } = this.#options;
    return {
      pid: process.pid,
      droplets: [...world.droplets.values()].map(dropletState),
      tags: [...world.tags],
      balancers: balancers.map((balancer) => ({ ...balancer.state(), url: balancer.url })),
      region: { ...world.timing, ...api.limits },
      unknownRequests: world.unknownRequests,
    };
  }

  #faults(): unknown {
    const { world, api, dropletFaults } = this.#options;
    return { api: api.faults.list(), droplets: dropletFaults.list(), region: { ...world.timing, ...api.limits } };
  }

  /** Three forms: `{ on, do }` for the API, `{ droplet, … }` for a droplet, `{ region: { … } }` for delays and limits. */
  #addFault(body: Body): unknown {
    const { api, dropletFaults } = this.#options;
    const { droplet, ...fault } = body;
    if (typeof droplet === 'string') return dropletFaults.set(droplet, fault);
    if (body.region !== undefined) return this.#setRegion(asObject(body.region, 'region'));
    return api.faults.add(parseFaultRule(body));
  }

  #setRegion(settings: Body): void {
    for (const [name, value] of Object.entries(settings)) {
      if (!(name in this.#initial)) throw new Error(`region.${name}: use ${Object.keys(this.#initial).join(', ')}`);
      if (typeof value !== 'number' || value < 0) throw new Error(`region.${name} must be a number, at least 0`);
    }
    const { world, api } = this.#options;
    for (const target of [world.timing, api.limits]) {
      const own = Object.entries(settings).filter(([name]) => name in target);
      Object.assign(target, Object.fromEntries(own));
    }
  }

  async #clearFaults(): Promise<void> {
    this.#options.api.faults.remove();
    this.#setRegion({ ...this.#initial });
    await this.#options.dropletFaults.clear();
  }

  /** By id or by name. */
  #droplet(key = ''): DropletRecord {
    const { droplets } = this.#options.world;
    const found = droplets.get(Number(key)) ?? [...droplets.values()].find(({ name }) => name === key);
    if (found === undefined) throw new Refusal('not-found', `no droplet "${key}"`);
    return found;
  }

  #dropletIds({ droplets }: Body): number[] {
    return asList(droplets, 'droplets').map((key) => this.#droplet(String(key)).id);
  }
}

function dropletState({ tags, createdAt: _, ...droplet }: DropletRecord) {
  return { ...droplet, tags: [...tags] };
}

function parseNewDroplet({ name, tags, pool }: Body): NewDroplet {
  return {
    // The name becomes the name of a folder.
    name: name === undefined ? undefined : hostName(name, 'name'),
    tags: tags === undefined ? undefined : asList(tags, 'tags').map(String),
    pool: pool === undefined ? undefined : hostName(pool, 'pool'),
  };
}

function hostName(value: unknown, name: string): string {
  if (typeof value === 'string' && /^[a-z0-9][a-z0-9.-]{0,62}$/i.test(value)) return value;
  throw new Error(`${name} must be a host name`);
}

function asList(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${name} must be a list`);
  return value;
}

function oneOf<T>(allowed: readonly T[], value: unknown, name: string): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`${name} must be one of ${allowed.join(', ')}`);
  return found;
}
