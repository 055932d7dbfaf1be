/**
 * The sandbox's own endpoint, on a loopback port of its own: faults, and what "somebody else" does to the region in the
 * middle of a deploy. README.md in this folder lists the requests.
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
  /** The autoscale pool that makes it. */
  pool?: string;
}

export interface ControlOptions {
  world: World;
  api: ApiServer;
  balancers: readonly Balancer[];
  registry: Registry;
  dropletFaults: DropletFaultSwitch;
  /** A droplet with its machine behind it; not in any balancer yet, except by its tags. */
  addDroplet: (wish: NewDroplet) => Promise<DropletRecord>;
  /** Takes the machine away too. */
  destroyDroplet: (id: number) => Promise<void>;
  port?: number;
}

interface Command {
  method: string;
  path: RegExp;
  run(match: RegExpExecArray, body: Record<string, unknown>): unknown;
}

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
      const { pathname } = new URL(request.url ?? '/', this.url);
      for (const command of this.#commands) {
        const match = command.method === request.method ? command.path.exec(pathname) : null;
        if (match) return sendJson(response, 200, (await command.run(match, body)) ?? { done: true });
      }
      const known = this.#commands.map(({ method, path }) => `${method} ${path.source}`);
      sendJson(response, 404, { error: `no such command: ${request.method} ${pathname}`, known });
    } catch (error) {
      sendJson(response, 422, { error: (error as Error).message });
    }
  }

  readonly #commands: Command[] = [
    { method: 'GET', path: /^\/state$/, run: () => this.#state() },
    { method: 'GET', path: /^\/log$/, run: () => this.#options.api.log },
    { method: 'GET', path: /^\/faults$/, run: () => this.#faults() },
    { method: 'POST', path: /^\/faults$/, run: (_match, body) => this.#addFault(body) },
    { method: 'DELETE', path: /^\/faults$/, run: () => this.#clearFaults() },
    {
      method: 'DELETE',
      path: /^\/faults\/(\d+)$/,
      run: ([, id]) => this.#options.api.faults.remove(Number(id)),
    },
    {
      method: 'POST',
      path: /^\/droplets$/,
      run: async (_match, body) => dropletState(await this.#options.addDroplet(parseNewDroplet(body))),
    },
    {
      method: 'PATCH',
      path: /^\/droplets\/([^/]+)$/,
      run: ([, key], { status }) => {
        const droplet = this.#droplet(key);
        droplet.status = oneOf(['active', 'off'] as const, status, 'status');
      },
    },
    {
      method: 'DELETE',
      path: /^\/droplets\/([^/]+)$/,
      run: ([, key]) => this.#options.destroyDroplet(this.#droplet(key).id),
    },
    {
      method: 'PATCH',
      path: /^\/balancers\/([^/]+)$/,
      run: ([, id = ''], { status }) => {
        this.#options.world.balancer(id).status = oneOf(['new', 'active', 'errored'] as const, status, 'status');
      },
    },
    {
      method: 'POST',
      path: /^\/balancers\/([^/]+)\/(add|remove)$/,
      run: ([, id = '', verb], { droplets }) => {
        const { world } = this.#options;
        const ids = asList(droplets, 'droplets').map((key) => this.#droplet(String(key)).id);
        if (verb === 'add') world.addToBalancer(id, ids);
        else world.removeFromBalancer(id, ids);
      },
    },
    {
      method: 'POST',
      path: /^\/tags\/([^/]+)\/(add|remove)$/,
      run: ([, tag = '', verb], { droplets }) => {
        const { world } = this.#options;
        const ids = asList(droplets, 'droplets').map((key) => this.#droplet(String(key)).id);
        world.createTag(tag);
        if (verb === 'add') world.tagDroplets(tag, ids);
        else world.untagDroplets(tag, ids);
      },
    },
    {
      method: 'PATCH',
      path: /^\/registry$/,
      run: (_match, { running }) => {
        const { registry } = this.#options;
        if (oneOf([true, false] as const, running, 'running')) registry.start();
        else registry.stop();
      },
    },
    {
      method: 'PUT',
      path: /^\/registry\/tags\/([\w.-]+)$/,
      run: ([, tag = ''], { image }) => this.#options.registry.moveTag(SHOP, tag, String(image)),
    },
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
  #addFault(body: Record<string, unknown>): unknown {
    const { api, dropletFaults } = this.#options;
    if (typeof body.droplet === 'string') {
      const { droplet, ...fault } = body;
      return dropletFaults.set(droplet as string, fault);
    }
    if (body.region !== undefined) return this.#setRegion(asObject(body.region, 'region'));
    return api.faults.add(parseFaultRule(body));
  }

  #setRegion(settings: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(settings)) {
      if (!(name in this.#initial)) throw new Error(`region.${name}: use ${Object.keys(this.#initial).join(', ')}`);
      if (typeof value !== 'number' || value < 0) throw new Error(`region.${name} must be a number, at least 0`);
    }
    const { world, api } = this.#options;
    for (const target of [world.timing, api.limits]) {
      const mine = Object.entries(settings).filter(([name]) => name in target);
      Object.assign(target, Object.fromEntries(mine));
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
}

function dropletState(droplet: DropletRecord) {
  const { id, name, status, publicAddress, privateAddress, pool } = droplet;
  return { id, name, status, tags: [...droplet.tags], publicAddress, privateAddress, ...(pool && { pool }) };
}

function parseNewDroplet({ name, tags, pool }: Record<string, unknown>): NewDroplet {
  return {
    // It becomes a folder's name.
    ...(name !== undefined && { name: hostName(name, 'name') }),
    ...(tags !== undefined && { tags: asList(tags, 'tags').map(String) }),
    ...(pool !== undefined && { pool: hostName(pool, 'pool') }),
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
