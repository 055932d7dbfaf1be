/**
 * DigitalOcean as the Cloud port shows it after the adapter's own retries: a busy balancer has been waited for, reads
 * have been repeated, and what still fails comes as the CloudError that the adapter would throw.
 */
import { CloudError } from '../../src/errors.js';
import type { BeforeChange, Cloud, Droplet as CloudDroplet, LoadBalancer } from '../../src/ports.js';
import { changeMembership } from './data-plane.js';
import { type Deployer, never, type Trouble } from './deployer.js';
import { lockProcess } from './lock.js';
import type { Droplet, World } from './world.js';

const REFUSALS = ['server', 'network', 'rate-limited', 'invalid-answer'] as const;
const REFUSED_CHANGES = ['busy', 'network', 'rate-limited', 'forbidden'] as const;
const DOUBTS = ['timeout', 'network', 'server', 'invalid-answer'] as const;

export class SimCloud implements Cloud {
  readonly #world: World;

  constructor(readonly deployer: Deployer) {
    this.#world = deployer.world;
  }

  listLoadBalancers(): Promise<LoadBalancer[]> {
    return this.#read('list-balancers', () => this.#balancers());
  }

  getLoadBalancer(id: string): Promise<LoadBalancer> {
    return this.#read('get-balancer', () => {
      const found = this.#balancers().find((balancer) => balancer.id === id);
      if (found === undefined) throw notFound(`load balancer ${id}`);
      const { knowledge } = this.deployer;
      knowledge.members = { ids: new Set(found.dropletIds), at: this.#world.next() };
      knowledge.found.members ??= new Set(found.dropletIds);
      return found;
    });
  }

  #balancers(): LoadBalancer[] {
    const { balancer } = this.#world;
    if (balancer === undefined) return [];
    return [
      {
        id: balancer.id,
        name: balancer.name,
        ip: '203.0.113.9',
        status: 'active',
        type: 'REGIONAL',
        region: 'fra1',
        tag: balancer.tag,
        dropletIds: [...balancer.shown],
        targetPorts: [80],
        healthCheck: balancer.check,
        proxyProtocol: false,
        nodes: this.#world.story.nodes,
        sticky: this.#world.story.sticky,
        backendKeepalive: this.#world.story.keepalive,
      },
    ];
  }

  listDroplets(filter?: { tag?: string }): Promise<CloudDroplet[]> {
    return this.#read('list-droplets', () => {
      const droplets = [...this.#world.droplets.values()].filter((droplet) => !droplet.destroyed);
      const recorded = droplets.filter((droplet) => droplet.tags.has(this.#world.ledgerTag(droplet)));
      this.deployer.knowledge.found.recorded ??= new Set(recorded.map(({ id }) => id));
      if (filter?.tag === undefined) this.#lists(droplets);
      return droplets.filter(({ tags }) => filter?.tag === undefined || tags.has(filter.tag)).map(shape);
    });
  }

  /** Without a balancer this is what says who belongs to the fleet. */
  #lists(droplets: readonly Droplet[]): void {
    const world = this.#world;
    const { knowledge } = this.deployer;
    knowledge.found.listed ??= new Set(droplets.map(({ id }) => id));
    const isWorker = (droplet: Droplet) => !world.isBalanced(droplet) && world.isMember(droplet);
    const workers = new Set(droplets.filter(isWorker).map(({ id }) => id));
    if (world.story.target === 'roles') knowledge.workers = { ids: workers, at: world.next() };
    if (world.balancer !== undefined || !world.isFleet) return;
    knowledge.members = { ids: workers, at: world.next() };
    knowledge.found.members ??= workers;
  }

  getDroplet(id: number): Promise<CloudDroplet> {
    return this.#read('get-droplet', () => shape(this.#droplet(id)));
  }

  async listAutoscalePools(): Promise<[]> {
    return [];
  }

  async listPoolMembers(): Promise<[]> {
    return [];
  }

  registryLogin(): Promise<string> {
    throw new Error('no story has a registry of DigitalOcean');
  }

  listFirewalls(): Promise<[]> {
    return this.#read('firewalls', () => []);
  }

  missingScopes(): Promise<[]> {
    return this.#read('scopes', () => []);
  }

  firewallsWithTag(): ReturnType<Cloud['firewallsWithTag']> {
    return this.#read('firewalls', () => []);
  }

  addDroplets(id: string, dropletIds: number[], before?: BeforeChange): Promise<void> {
    return this.#change('add', before, (held) => this.#changeById(id, dropletIds, 'in', held));
  }

  removeDroplets(id: string, dropletIds: number[], before?: BeforeChange): Promise<void> {
    return this.#change('remove', before, (held) => this.#changeById(id, dropletIds, 'out', held));
  }

  #changeById(id: string, dropletIds: readonly number[], wanted: 'in' | 'out', held: Held): void {
    const { balancer, story } = this.#world;
    if (balancer === undefined || balancer.id !== id) throw notFound(`load balancer ${id}`);
    if (balancer.tag !== undefined) throw new CloudError('unprocessable', 'not-applied', 'It is managed by a tag.');
    const droplets = dropletIds.map((dropletId) => this.#droplet(dropletId));
    const needless = droplets.every((droplet) => balancer.accepted.has(droplet.id) === (wanted === 'in'));
    if (needless && story.strict) {
      throw wanted === 'in'
        ? new CloudError('unprocessable', 'not-applied', 'The droplet is in the load balancer already.')
        : notFound('the droplet in the load balancer');
    }
    for (const droplet of droplets) this.#move(droplet, wanted, held);
  }

  #move(droplet: Droplet, wanted: 'in' | 'out', held: Held): void {
    const world = this.#world;
    if (world.isMember(droplet) === (wanted === 'in')) return;
    world.monitor.membershipChanges(this.deployer, droplet, wanted, held.has(droplet.id));
    changeMembership(world, droplet, wanted);
  }

  listTags(prefix: string): Promise<string[]> {
    return this.#read('list-tags', () => [...this.#world.tags].filter((tag) => tag.startsWith(prefix)));
  }

  createTag(tag: string, before?: BeforeChange): Promise<void> {
    return this.#change('create-tag', before, () => {
      this.#world.tags.add(tag);
    });
  }

  deleteTag(tag: string, before?: BeforeChange): Promise<void> {
    return this.#change('delete-tag', before, () => {
      const world = this.#world;
      const had = [...world.droplets.values()].filter(({ tags }) => tags.has(tag));
      for (const droplet of had) {
        world.monitor.leftAlone(this.deployer, droplet, 'is no longer marked');
        droplet.tags.delete(tag);
      }
      world.tags.delete(tag);
    });
  }

  tagDroplets(tag: string, dropletIds: number[], before?: BeforeChange): Promise<void> {
    return this.#change(this.#callFor(tag, 'tag'), before, (held) => this.#tagAll(tag, dropletIds, true, held));
  }

  untagDroplets(tag: string, dropletIds: number[], before?: BeforeChange): Promise<void> {
    return this.#change(this.#callFor(tag, 'untag'), before, (held) => this.#tagAll(tag, dropletIds, false, held));
  }

  /** With a balancer that goes by a tag, tagging is adding. */
  #callFor(tag: string, call: 'tag' | 'untag'): string {
    if (tag !== this.#world.balancer?.tag) return call;
    return call === 'tag' ? 'add' : 'remove';
  }

  #tagAll(tag: string, dropletIds: readonly number[], on: boolean, held: Held): void {
    const world = this.#world;
    if (!world.tags.has(tag)) throw notFound(`the tag ${tag}`);
    for (const droplet of dropletIds.map((id) => this.#droplet(id))) {
      if (droplet.tags.has(tag) === on) continue;
      if (tag === world.balancer?.tag) this.#move(droplet, on ? 'in' : 'out', held);
      else if (tag === world.ledgerTag(droplet))
        world.monitor.ledgerChanges(this.deployer, droplet, on, held.has(droplet.id));
      if (on) droplet.tags.add(tag);
      else droplet.tags.delete(tag);
    }
  }

  #droplet(id: number): Droplet {
    const droplet = this.#world.droplets.get(id);
    if (droplet === undefined || droplet.destroyed) throw notFound(`droplet ${id}`);
    return droplet;
  }

  async #read<T>(call: string, answer: () => T): Promise<T> {
    const trouble = await this.#set(call);
    if (trouble?.kind === 'crash') return await this.#die();
    if (trouble?.kind === 'no' || trouble?.kind === 'maybe' || trouble?.kind === 'fails') {
      // The adapter has tried for some time before it gives up.
      await this.deployer.wait(Math.floor(trouble.roll * 60_000));
      throw failure(REFUSALS, trouble.roll, 'not-applied');
    }
    const value = answer();
    await this.deployer.travel();
    return value;
  }

  async #change(call: string, before: BeforeChange | undefined, change: (held: Held) => void): Promise<void> {
    const { deployer } = this;
    const world = this.#world;
    const ofBalancer = call === 'add' || call === 'remove';
    await before?.();
    let held = this.#held();
    const apply = () => change(held);
    const trouble = await this.#set(call);
    if (trouble?.kind === 'crash') {
      if (trouble.applied) attempt(apply);
      return await this.#die();
    }
    if (trouble?.kind === 'no') {
      await deployer.wait(Math.floor(trouble.roll * 180_000));
      throw failure(REFUSED_CHANGES, trouble.roll, 'not-applied');
    }
    // One change of a balancer after the other: the adapter waits while it is busy.
    const { balancer } = world;
    const started = world.time;
    while (ofBalancer && balancer?.tag === undefined && balancer !== undefined && balancer.settledAt > world.time) {
      if (world.time - started > 180_000) throw failure(['busy'], 0, 'not-applied');
      await deployer.wait(Math.min(1_000, balancer.settledAt - world.time + 1));
      await before?.();
      held = this.#held();
    }
    if (trouble?.kind === 'maybe' || trouble?.kind === 'fails') {
      if (trouble.applied) attempt(apply);
      await deployer.wait(Math.floor(trouble.roll * 20_000));
      throw failure(DOUBTS, trouble.roll, 'unknown');
    }
    apply();
    await deployer.travel();
  }

  /** Whose lease it holds as it sends a request, which may arrive late. */
  #held(): Held {
    const own = [...this.#world.droplets.values()].filter(
      (droplet) => lockProcess(this.#world, droplet)?.deployer === this.deployer,
    );
    return new Set(own.map(({ id }) => id));
  }

  /** The request is on its way, and arrives. */
  async #set(call: string): Promise<Trouble | undefined> {
    const { deployer } = this;
    if (deployer.dead) return await never();
    const trouble = deployer.begin(call);
    await deployer.travel();
    if (trouble?.kind === 'slow' || trouble?.kind === 'drop') await deployer.wait(Math.floor(trouble.roll * 20_000));
    if (this.#world.time < deployer.apiAwayUntil) {
      await deployer.wait(30_000);
      throw failure(['network'], 0, 'not-applied');
    }
    if (deployer.revoked && trouble?.kind !== 'crash') throw failure(['unauthorized'], 0, 'not-applied');
    return trouble;
  }

  async #die(): Promise<never> {
    this.deployer.die();
    return await never();
  }
}

type Held = ReadonlySet<number>;

/** Nobody hears of its failure. */
function attempt(apply: () => void): void {
  try {
    apply();
  } catch (error) {
    if (!(error instanceof CloudError)) throw error;
  }
}

function shape(droplet: Droplet): CloudDroplet {
  return {
    id: droplet.id,
    name: droplet.name,
    status: droplet.status,
    publicAddress: `203.0.113.${droplet.id % 250}`,
    privateAddress: `10.0.0.${droplet.id % 250}`,
    tags: [...droplet.tags],
    region: 'fra1',
  };
}

function notFound(what: string): CloudError {
  return new CloudError('not-found', 'not-applied', `There is no ${what}.`);
}

function failure<const K extends readonly [CloudError['kind'], ...CloudError['kind'][]]>(
  kinds: K,
  roll: number,
  outcome: 'not-applied' | 'unknown',
): CloudError {
  const kind = kinds[Math.floor(roll * kinds.length)] ?? kinds[0];
  return new CloudError(kind, outcome, `The simulated API answers: ${kind}.`);
}
