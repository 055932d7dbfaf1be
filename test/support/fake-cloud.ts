/** An implementation of the Cloud port in memory, with failures on demand. */
import { CloudError } from '../../src/errors.js';
import type { BeforeChange, Cloud, Droplet, Firewall, LoadBalancer } from '../../src/ports.js';

export function aBalancer(overrides: Partial<LoadBalancer> = {}): LoadBalancer {
  return {
    id: '4de7ac8b-495b-4884-9a69-1050c6793cd6',
    name: 'web',
    ip: '203.0.113.100',
    status: 'active',
    type: 'REGIONAL',
    region: 'fra1',
    dropletIds: [1, 2, 3],
    targetPorts: [80],
    healthCheck: {
      protocol: 'http',
      port: 80,
      path: '/',
      intervalSeconds: 10,
      timeoutSeconds: 5,
      healthyThreshold: 3,
      unhealthyThreshold: 5,
    },
    proxyProtocol: false,
    nodes: 1,
    sticky: false,
    ...overrides,
  };
}

export function aDroplet(id: number, overrides: Partial<Droplet> = {}): Droplet {
  return {
    id,
    name: `web-${id}`,
    status: 'active',
    publicAddress: `203.0.113.${id}`,
    privateAddress: `10.0.0.${id}`,
    tags: [],
    region: 'fra1',
    ...overrides,
  };
}

/** A failure of a call: it is refused, or its answer is lost with or without effect. */
export type Trouble = { error: CloudError; applied: boolean };

export class FakeCloud implements Cloud {
  readonly calls: string[] = [];
  readonly tags = new Set<string>();
  readonly pools: { id: string; name: string; members: number[] }[] = [];
  readonly firewalls: { name: string; tags: string[]; peers?: string[] }[] = [];
  /** By name of the call: the failures of the next calls. */
  readonly trouble = new Map<keyof Cloud, Trouble[]>();
  /** Number of reads of a balancer that still show the membership before the last change. */
  lag = 0;
  #stale: LoadBalancer | undefined;

  constructor(
    readonly balancers: LoadBalancer[] = [aBalancer()],
    readonly droplets: Droplet[] = [aDroplet(1), aDroplet(2), aDroplet(3)],
  ) {}

  async listLoadBalancers() {
    return this.#call('listLoadBalancers', [], () => structuredClone(this.balancers));
  }

  async getLoadBalancer(id: string) {
    return this.#call('getLoadBalancer', [id], () => {
      if (this.#stale && this.lag > 0) {
        this.lag -= 1;
        return this.#stale;
      }
      return structuredClone(this.#balancer(id));
    });
  }

  async listDroplets(filter: { tag?: string } = {}) {
    return this.#call('listDroplets', [], () =>
      structuredClone(this.droplets.filter(({ tags }) => filter.tag === undefined || tags.includes(filter.tag))),
    );
  }

  async getDroplet(id: number) {
    return this.#call('getDroplet', [id], () => structuredClone(this.#droplet(id)));
  }

  async listAutoscalePools() {
    return this.#call('listAutoscalePools', [], () => this.pools.map(({ id, name }) => ({ id, name })));
  }

  async listPoolMembers(poolId: string) {
    return this.#call('listPoolMembers', [poolId], () => this.pools.find(({ id }) => id === poolId)?.members ?? []);
  }

  async addDroplets(id: string, dropletIds: number[], before?: BeforeChange) {
    await before?.();
    return this.#call('addDroplets', dropletIds, () =>
      this.#member(id, (ids) => [...ids.filter((one) => !dropletIds.includes(one)), ...dropletIds]),
    );
  }

  async removeDroplets(id: string, dropletIds: number[], before?: BeforeChange) {
    await before?.();
    return this.#call('removeDroplets', dropletIds, () =>
      this.#member(id, (ids) => ids.filter((one) => !dropletIds.includes(one))),
    );
  }

  async listTags(prefix: string) {
    return this.#call('listTags', [prefix], () => [...this.tags].filter((tag) => tag.startsWith(prefix)));
  }

  async createTag(tag: string, before?: BeforeChange) {
    await before?.();
    return this.#call('createTag', [tag], () => void this.tags.add(tag));
  }

  async deleteTag(tag: string, before?: BeforeChange) {
    await before?.();
    return this.#call('deleteTag', [tag], () => void this.tags.delete(tag));
  }

  async tagDroplets(tag: string, dropletIds: number[], before?: BeforeChange) {
    await before?.();
    return this.#call('tagDroplets', [tag, ...dropletIds], () => {
      if (!this.tags.has(tag)) throw new CloudError('not-found', 'not-applied', 'no such tag');
      for (const id of dropletIds) this.#droplet(id).tags.push(tag);
    });
  }

  async untagDroplets(tag: string, dropletIds: number[], before?: BeforeChange) {
    await before?.();
    return this.#call('untagDroplets', [tag, ...dropletIds], () => {
      for (const id of dropletIds) {
        const droplet = this.#droplet(id);
        droplet.tags = droplet.tags.filter((one) => one !== tag);
      }
    });
  }

  async registryLogin(name: string, validSeconds: number) {
    return this.#call('registryLogin', [name, validSeconds], () => Buffer.from('token:token').toString('base64'));
  }

  async firewallsWithTag(tag: string) {
    return this.#call('firewallsWithTag', [tag], () =>
      this.firewalls
        .filter(({ tags, peers = [] }) => [...tags, ...peers].includes(tag))
        .map(({ name, tags }) => ({ name, how: tags.includes(tag) ? ('applies' as const) : ('admits' as const) })),
    );
  }

  async listFirewalls() {
    return this.#call('listFirewalls', [], () =>
      this.firewalls.map(({ name, tags }): Firewall => ({ name, tags, dropletIds: [], inbound: [] })),
    );
  }

  async missingScopes() {
    return this.#call('missingScopes', [], () => [] as string[]);
  }

  fail(call: keyof Cloud, ...troubles: Trouble[]): void {
    this.trouble.set(call, troubles);
  }

  #call<T>(name: keyof Cloud, args: unknown[], effect: () => T): T {
    this.calls.push([name, ...args].join(' '));
    const trouble = this.trouble.get(name)?.shift();
    if (trouble === undefined) return effect();
    if (trouble.applied) effect();
    throw trouble.error;
  }

  #member(id: string, change: (ids: number[]) => number[]): void {
    const balancer = this.#balancer(id);
    this.#stale = structuredClone(balancer);
    balancer.dropletIds = change(balancer.dropletIds);
  }

  #balancer(id: string): LoadBalancer {
    const found = this.balancers.find((one) => one.id === id);
    if (found === undefined) throw new CloudError('not-found', 'not-applied', 'no such load balancer');
    return found;
  }

  #droplet(id: number): Droplet {
    const found = this.droplets.find((one) => one.id === id);
    if (found === undefined) throw new CloudError('not-found', 'not-applied', 'no such droplet');
    return found;
  }
}

export const lost = (applied: boolean): Trouble => ({
  error: new CloudError('timeout', 'unknown', 'no answer within 15 s'),
  applied,
});

export const refused = (kind: CloudError['kind']): Trouble => ({
  error: new CloudError(kind, 'not-applied', `refused: ${kind}`),
  applied: false,
});
