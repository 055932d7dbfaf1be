/** Droplets behind a load balancer that holds them by id (at most ten), or by a tag (any number). */
import type { AutoscalePool, BeforeChange, Clock, Cloud, Droplet, LoadBalancer } from '../ports.js';
import type { Rotation } from '../rollout/model.js';
import { coalesced } from './coalesced.js';
import { settleChange } from './settle-change.js';
import type { FleetMembership, LedgerTags, Target } from './target.js';

const NOBODY: ReadonlySet<number> = new Set();

/** How a droplet is in or out: its id in the balancer's list, or the balancer's tag on it. */
interface MembershipChange {
  change(dropletId: number, wanted: 'in' | 'out', before?: BeforeChange): Promise<void>;
  /** Whether DigitalOcean shows the droplet in, and the balancer has no change under way. */
  isShown(dropletId: number, wanted: 'in' | 'out'): Promise<{ shown: boolean; balancerStatus: string }>;
}

export interface BalancerOptions {
  notices?: readonly string[];
  /** Where droplets come from that are not behind the balancer yet. */
  pool?: AutoscalePool;
  /** They belong to the fleet already. */
  newcomers?: boolean;
}

export class LoadBalancerTarget implements Target {
  readonly description: string;
  readonly publicUrl: string | undefined;
  readonly isFleet = true;
  readonly healthCheck;
  readonly proxyProtocol;
  readonly overVpc: boolean;
  readonly nodes: number;
  readonly evenShares: boolean;
  readonly keepsConnections: boolean;
  readonly ports: readonly number[];
  readonly notices: readonly string[];
  readonly #cloud: Cloud;
  readonly #clock: Clock;
  readonly #balancer: LoadBalancer;
  readonly #ledger: LedgerTags;
  readonly #membership: MembershipChange;
  readonly #pool: AutoscalePool | undefined;
  readonly #newcomers: boolean;
  /** Droplets that have the balancer's tag, while DigitalOcean does not show them behind it yet. */
  #coming: ReadonlySet<number> = new Set();

  constructor(
    cloud: Cloud,
    clock: Clock,
    balancer: LoadBalancer,
    ledger: LedgerTags,
    { notices = [], pool, newcomers = false }: BalancerOptions = {},
  ) {
    this.#cloud = cloud;
    this.#clock = clock;
    this.#balancer = balancer;
    this.#ledger = ledger;
    this.description = `load balancer "${balancer.name}"${balancer.ip ? ` (${balancer.ip})` : ''}`;
    this.publicUrl = publicUrlOf(balancer);
    this.healthCheck = balancer.healthCheck;
    this.proxyProtocol = balancer.proxyProtocol;
    this.overVpc = balancer.type === 'REGIONAL';
    this.nodes = balancer.nodes;
    // A network balancer may keep a client to a droplet as well: DigitalOcean does not document its algorithm.
    this.keepsConnections = balancer.backendKeepalive === true;
    this.evenShares = balancer.type === 'REGIONAL' && !balancer.sticky && !this.keepsConnections;
    this.ports = [...new Set([...balancer.targetPorts, balancer.healthCheck.port])];
    this.notices = notices;
    this.#pool = pool;
    this.#newcomers = newcomers;
    this.#membership =
      balancer.tag === undefined ? memberById(cloud, balancer.id) : memberByTag(cloud, balancer.id, balancer.tag);
  }

  /**
   * The fleet: the balancer's droplets and those in the ledger, so that one that a crash left out is still seen. With
   * `newcomers`, the pool's droplets as well.
   */
  async readMembership(): Promise<FleetMembership> {
    const [balancer, droplets, ofPool] = await Promise.all([
      this.#cloud.getLoadBalancer(this.#balancer.id),
      this.#cloud.listDroplets(),
      this.#newcomers ? this.#membersOfPool() : NOBODY,
    ]);
    const members = new Set(balancer.dropletIds);
    const { tag } = this.#balancer;
    const tagged = tag === undefined ? [] : droplets.filter((droplet) => droplet.tags.includes(tag));
    this.#coming = new Set(tagged.map(({ id }) => id).filter((id) => !members.has(id)));
    const byHand = new Map(droplets.map((droplet) => [droplet.id, this.#ledger.byHand(droplet)]));
    const isFleet = (droplet: Droplet) =>
      members.has(droplet.id) ||
      this.#ledger.has(droplet) ||
      byHand.get(droplet.id) !== undefined ||
      (ofPool.has(droplet.id) && droplet.status === 'active');
    const fleet = droplets.filter(isFleet);
    return {
      balancer,
      droplets: fleet
        .sort((a, b) => a.id - b.id)
        .map((droplet) => ({
          droplet,
          rotation: (members.has(droplet.id) ? 'in' : 'out') as Rotation,
          inLedger: this.#ledger.has(droplet),
          ...(!members.has(droplet.id) && { byHand: byHand.get(droplet.id) }),
        })),
    };
  }

  async waiting(): Promise<Droplet[]> {
    if (this.#pool === undefined || this.#newcomers) return [];
    const [ofPool, droplets, { droplets: fleet }] = await Promise.all([
      this.#membersOfPool(),
      this.#cloud.listDroplets(),
      this.readMembership(),
    ]);
    const known = new Set(fleet.map(({ droplet }) => droplet.id));
    return droplets.filter(({ id, status }) => ofPool.has(id) && status === 'active' && !known.has(id));
  }

  async #membersOfPool(): Promise<ReadonlySet<number>> {
    return this.#pool === undefined ? NOBODY : new Set(await this.#cloud.listPoolMembers(this.#pool.id));
  }

  async leave(dropletId: number, before?: BeforeChange): Promise<'shown' | 'asked'> {
    const coming = this.#coming.has(dropletId);
    await this.#settle(dropletId, 'out', before);
    return coming ? 'asked' : 'shown';
  }

  rejoin(dropletId: number, before?: BeforeChange): Promise<void> {
    return this.#settle(dropletId, 'in', before);
  }

  async #settle(dropletId: number, wanted: 'in' | 'out', before?: BeforeChange): Promise<void> {
    await settleChange(
      {
        what: `droplet ${dropletId} ${wanted === 'in' ? 'into' : 'out of'} ${this.description}`,
        apply: () => this.#membership.change(dropletId, wanted, before),
        read: () => this.#membership.isShown(dropletId, wanted),
      },
      this.#clock,
    );
  }
}

function publicUrlOf({ ip, httpPort, healthCheck }: LoadBalancer): string | undefined {
  if (ip === '' || httpPort === undefined) return undefined;
  const path = healthCheck.protocol === 'tcp' ? '/' : healthCheck.path;
  return `http://${ip}${httpPort === 80 ? '' : `:${httpPort}`}${path}`;
}

function memberById(cloud: Cloud, id: string): MembershipChange {
  // All droplets of a batch poll the same balancer.
  const balancerNow = coalesced(() => cloud.getLoadBalancer(id));
  return {
    change: (dropletId, wanted, before) =>
      wanted === 'in' ? cloud.addDroplets(id, [dropletId], before) : cloud.removeDroplets(id, [dropletId], before),
    isShown: async (dropletId, wanted) => {
      const { status, dropletIds } = await balancerNow();
      const shown = status === 'active' && dropletIds.includes(dropletId) === (wanted === 'in');
      return { shown, balancerStatus: status };
    },
  };
}

function memberByTag(cloud: Cloud, id: string, tag: string): MembershipChange {
  return {
    ...memberById(cloud, id),
    change: (dropletId, wanted, before) =>
      wanted === 'in' ? cloud.tagDroplets(tag, [dropletId], before) : cloud.untagDroplets(tag, [dropletId], before),
  };
}
