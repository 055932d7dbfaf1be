/**
 * The region's state: droplets, balancers, tags, firewalls. api/ serves it over HTTP, balancer.ts routes traffic by it. A
 * change of membership is accepted immediately, and shown and followed after the delays in `Timing`.
 */
import { realTime, type SandboxClock } from './clock.js';
import { MembershipView } from './membership.js';
import type {
  BalancerRecord,
  DropletRecord,
  FirewallRecord,
  HealthCheckRecord,
  PoolRecord,
  Timing,
} from './records.js';

/** A request that DigitalOcean would refuse. Nothing was changed. */
export class Refusal extends Error {
  readonly kind: 'not-found' | 'unprocessable' | 'busy';

  constructor(kind: Refusal['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Maximum number of droplets by id; a tag has no limit. Source: the product's page on limits. */
export const MAX_DROPLETS_BY_ID = 10;
/** The number of addresses in 203.0.113.0/24. */
const MAX_DROPLETS = 254;
const FIRST_DROPLET_ID = 410_000_001;

export const VPC_ID = 'c33931f2-a26a-4e61-b85c-4e95a2ec431b';
export const PROJECT_ID = '9cc10173-e9ea-4176-9dbc-a4cee4c4ff30';

/** Defaults of the official description. */
const HEALTH_CHECK: HealthCheckRecord = {
  port: 80,
  path: '/',
  intervalSeconds: 10,
  timeoutSeconds: 5,
  healthyThreshold: 3,
  unhealthyThreshold: 5,
};

export interface NewBalancer {
  name: string;
  /** Either a tag or ids. */
  tag?: string;
  dropletIds?: number[];
  healthCheck?: Partial<HealthCheckRecord>;
  idleTimeoutSeconds?: number;
  backendKeepalive?: boolean;
}

export class World {
  readonly clock: SandboxClock;
  /** Can be changed at any time; accepted changes keep their delay. */
  readonly timing: Timing;
  readonly droplets = new Map<number, DropletRecord>();
  readonly balancers = new Map<string, BalancerRecord>();
  readonly tags = new Set<string>();
  /** Container registries by name, with the token that logs in to each. */
  readonly registries = new Map<string, string>();
  readonly pools: PoolRecord[] = [];
  readonly firewalls: FirewallRecord[] = [];
  /** Calls that the API does not support (`METHOD /path`): tests assert that there were none. */
  readonly unknownRequests: string[] = [];

  #nextDroplet = 0;
  #nextUuid = 0;
  #nextChange = 0;
  readonly #listeners = new Set<(balancer: BalancerRecord) => void>();

  constructor(options: { clock?: SandboxClock; timing?: Partial<Timing> } = {}) {
    this.clock = options.clock ?? realTime;
    this.timing = { apiDelayMs: 0, effectDelayMs: 0, busyMs: 0, ...options.timing };
  }

  /** Calls `listener` when a balancer's traffic must follow another membership. Returns how to unsubscribe. */
  onServing(listener: (balancer: BalancerRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param wish.pool name of the autoscale pool that creates it; the pool is created if it is new */
  addDroplet(
    wish: { name?: string; status?: DropletRecord['status']; tags?: string[]; pool?: string } = {},
  ): DropletRecord {
    const number = this.#nextDroplet + 1;
    if (number > MAX_DROPLETS) throw new Refusal('unprocessable', `a sandbox has at most ${MAX_DROPLETS} droplets`);
    this.#nextDroplet = number;
    const droplet: DropletRecord = {
      id: FIRST_DROPLET_ID + number - 1,
      name: wish.name ?? `droplet-${number}`,
      status: wish.status ?? 'active',
      tags: new Set(),
      publicAddress: `203.0.113.${number}`,
      privateAddress: `10.10.0.${number}`,
      createdAt: this.clock.now(),
      pool: wish.pool && this.#pool(wish.pool).name,
    };
    this.droplets.set(droplet.id, droplet);
    for (const tag of wish.tags ?? []) {
      this.createTag(tag);
      this.tagDroplets(tag, [droplet.id]);
    }
    return droplet;
  }

  dropletsOfPool({ name }: PoolRecord): DropletRecord[] {
    return [...this.droplets.values()].filter(({ pool }) => pool === name);
  }

  /** Takes effect immediately, also in balancers. */
  destroyDroplet(id: number): void {
    if (!this.droplets.delete(id)) throw new Refusal('not-found', `no droplet ${id}`);
    for (const balancer of this.balancers.values()) {
      const change = { sequence: this.#nextChange++, dropletId: id, member: false };
      balancer.accepted.apply(change);
      balancer.shown.apply(change);
      if (balancer.serving.apply(change)) this.#announce(balancer);
    }
  }

  /** Its first members are shown and served immediately. */
  addBalancer(wish: NewBalancer): BalancerRecord {
    const ids = wish.tag === undefined ? (wish.dropletIds ?? []) : this.dropletsWithTag(wish.tag).map(({ id }) => id);
    if (wish.tag === undefined) this.#requireRoom(ids.length);
    const balancer: BalancerRecord = {
      id: this.#uuid(),
      name: wish.name,
      ip: `198.51.100.${this.balancers.size + 1}`,
      createdAt: this.clock.now(),
      status: 'active',
      tag: wish.tag,
      healthCheck: { ...HEALTH_CHECK, ...wish.healthCheck },
      idleTimeoutSeconds: wish.idleTimeoutSeconds ?? 60,
      backendKeepalive: wish.backendKeepalive ?? false,
      accepted: new MembershipView(ids),
      shown: new MembershipView(ids),
      serving: new MembershipView(ids),
      busyUntil: 0,
    };
    if (wish.tag !== undefined) this.createTag(wish.tag);
    this.balancers.set(balancer.id, balancer);
    return balancer;
  }

  balancer(id: string): BalancerRecord {
    const balancer = this.balancers.get(id);
    if (balancer === undefined) throw new Refusal('not-found', 'Load Balancer not found');
    return balancer;
  }

  addToBalancer(balancerId: string, dropletIds: number[]): void {
    const balancer = this.#changeable(balancerId, dropletIds);
    const unknown = dropletIds.filter((id) => !this.droplets.has(id));
    if (unknown.length > 0) throw new Refusal('unprocessable', `Droplet IDs [${unknown.join(' ')}] could not be found`);
    const joining = new Set(dropletIds.filter((id) => !balancer.accepted.has(id)));
    this.#requireRoom(balancer.accepted.size + joining.size);
    this.#change(balancer, dropletIds, true);
  }

  removeFromBalancer(balancerId: string, dropletIds: number[]): void {
    this.#change(this.#changeable(balancerId, dropletIds), dropletIds, false);
  }

  createTag(tag: string): void {
    this.tags.add(tag);
  }

  deleteTag(tag: string): void {
    this.#requireTag(tag);
    this.untagDroplets(
      tag,
      this.dropletsWithTag(tag).map(({ id }) => id),
    );
    this.tags.delete(tag);
  }

  dropletsWithTag(tag: string): DropletRecord[] {
    return [...this.droplets.values()].filter((droplet) => droplet.tags.has(tag));
  }

  tagDroplets(tag: string, dropletIds: number[]): void {
    for (const droplet of this.#taggable(tag, dropletIds)) droplet.tags.add(tag);
    for (const balancer of this.#managedBy(tag)) this.#change(balancer, dropletIds, true);
  }

  untagDroplets(tag: string, dropletIds: number[]): void {
    for (const droplet of this.#taggable(tag, dropletIds)) droplet.tags.delete(tag);
    for (const balancer of this.#managedBy(tag)) this.#change(balancer, dropletIds, false);
  }

  addFirewall(wish: { name: string; tags?: string[]; dropletIds?: number[]; ports?: string }): FirewallRecord {
    const { name, tags = [], dropletIds = [], ports = '80' } = wish;
    const firewall = { id: this.#uuid(), name, createdAt: this.clock.now(), dropletIds, tags, ports };
    for (const tag of tags) this.createTag(tag);
    this.firewalls.push(firewall);
    return firewall;
  }

  /** The membership follows after the delays; if nothing changes, the balancer does not get busy. */
  #change(balancer: BalancerRecord, dropletIds: number[], member: boolean): void {
    const { apiDelayMs, effectDelayMs, busyMs } = this.timing;
    const changes = dropletIds
      .map((dropletId) => ({ sequence: this.#nextChange++, dropletId, member }))
      .filter((change) => balancer.accepted.apply(change));
    if (changes.length === 0) return;
    balancer.busyUntil = this.clock.now() + busyMs;
    this.clock.after(apiDelayMs, () => {
      for (const change of changes) balancer.shown.apply(change);
    });
    this.clock.after(effectDelayMs, () => {
      const changed = changes.filter((change) => balancer.serving.apply(change));
      if (changed.length > 0) this.#announce(balancer);
    });
  }

  #changeable(balancerId: string, dropletIds: number[]): BalancerRecord {
    const balancer = this.balancer(balancerId);
    if (balancer.tag !== undefined) {
      throw new Refusal(
        'unprocessable',
        'Droplets can not be changed on a load balancer that is configured with a tag',
      );
    }
    if (dropletIds.length === 0)
      throw new Refusal('unprocessable', 'need to provide either a tag or a list of droplets');
    if (this.clock.now() < balancer.busyUntil) {
      throw new Refusal('busy', "Load Balancer can't be updated while it processes previous actions");
    }
    return balancer;
  }

  #taggable(tag: string, dropletIds: number[]): DropletRecord[] {
    this.#requireTag(tag);
    return dropletIds.map((id) => {
      const droplet = this.droplets.get(id);
      if (droplet === undefined) throw new Refusal('not-found', 'The resource you requested could not be found.');
      return droplet;
    });
  }

  #managedBy(tag: string): BalancerRecord[] {
    return [...this.balancers.values()].filter((balancer) => balancer.tag === tag);
  }

  #requireTag(tag: string): void {
    if (!this.tags.has(tag)) throw new Refusal('not-found', 'The resource you requested could not be found.');
  }

  #requireRoom(members: number): void {
    if (members > MAX_DROPLETS_BY_ID) {
      throw new Refusal('unprocessable', `a load balancer takes at most ${MAX_DROPLETS_BY_ID} droplets by id`);
    }
  }

  #pool(name: string): PoolRecord {
    const known = this.pools.find((pool) => pool.name === name);
    if (known !== undefined) return known;
    const pool = { id: this.#uuid(), name, createdAt: this.clock.now() };
    this.pools.push(pool);
    return pool;
  }

  #announce(balancer: BalancerRecord): void {
    for (const listener of this.#listeners) listener(balancer);
  }

  #uuid(): string {
    this.#nextUuid += 1;
    return `4de7ac8b-495b-4884-9a69-${this.#nextUuid.toString(16).padStart(12, '0')}`;
  }
}
