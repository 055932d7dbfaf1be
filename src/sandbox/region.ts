/** A DigitalOcean region on this machine: API, droplets, balancer and control endpoint in one process and one folder. */
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { OFFICIAL_LIMITS, type RateLimits } from './api/rate-limit.js';
import { ApiServer } from './api/server.js';
import { Balancer } from './balancer.js';
import { ControlServer, type NewDroplet } from './control.js';
import { DIGITALOCEAN_REGISTRY, exampleRegistry } from './docker/images/example-registry.js';
import type { Credentials, Registry } from './docker/registry.js';
import { SandboxDroplet } from './droplets/droplet.js';
import { parseDropletFaults } from './droplets/faults.js';
import type { DropletFaultSwitch, Faults } from './faults.js';
import type { BalancerRecord, DropletRecord, HealthCheckRecord, Timing } from './records.js';
import { RegionFiles } from './region-files.js';
import { MAX_DROPLETS_BY_ID, World } from './world.js';

export interface RegionOptions extends Partial<Timing> {
  /** Holds all files of the region. Created if it is missing. */
  folder: string;
  /** Number of droplets behind the balancer (default 3, up to 253). Another one, `staging`, is not behind it. */
  droplets?: number;
  /** Whether a tag manages the balancer. Default: with more than ten droplets, DigitalOcean's limit by id. */
  tagManaged?: boolean;
  token?: string;
  /** Scopes of the token. Default: all. */
  scopes?: string[];
  limits?: Partial<RateLimits>;
  /** Default: port 80, /healthz, every second, healthy after two passes, unhealthy after three failures. */
  healthCheck?: Partial<HealthCheckRecord>;
  /** With credentials, every image except the official ones is private. */
  registryCredentials?: Credentials;
}

const BALANCER = 'web';
const BALANCER_TAG = 'web';
const STAGING = 'staging';
const SSH_USER = 'root';
const TOKEN = 'dop_v1_sandbox';
const QUICK_CHECK: Partial<HealthCheckRecord> = {
  path: '/healthz',
  intervalSeconds: 1,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
};

export class Region {
  readonly folder: string;
  readonly world: World;
  /** The droplets' machines by name. */
  readonly droplets = new Map<string, SandboxDroplet>();
  readonly registry: Registry;
  readonly balancerName = BALANCER;

  readonly #options: RegionOptions;
  readonly #files: RegionFiles;
  #authorizedKey = '';
  #record: BalancerRecord | undefined;
  #parts: { api: ApiServer; balancer: Balancer; control: ControlServer } | undefined;
  /** How to stop what was started, in the order of starting. */
  readonly #releases: (() => Promise<void>)[] = [];

  private constructor(options: RegionOptions, files: RegionFiles) {
    const { apiDelayMs = 0, effectDelayMs = 0, busyMs = 0 } = options;
    this.#options = options;
    this.#files = files;
    this.folder = files.folder;
    this.world = new World({ timing: { apiDelayMs, effectDelayMs, busyMs } });
    this.registry = exampleRegistry({ credentials: options.registryCredentials });
    const { password } = options.registryCredentials ?? {};
    if (password !== undefined) this.world.registries.set(DIGITALOCEAN_REGISTRY, password);
  }

  /** The droplets run nothing yet: the balancer answers 503 until the first deploy. */
  static async start(options: RegionOptions): Promise<Region> {
    const region = new Region(options, await RegionFiles.open(resolve(options.folder)));
    try {
      await region.#start();
    } catch (error) {
      await region.stop();
      throw error;
    }
    return region;
  }

  get api(): { url: string; token: string } {
    return { url: this.#running.api.url, token: this.#options.token ?? TOKEN };
  }

  /** All calls of the API so far. */
  get apiLog(): ApiServer['log'] {
    return this.#running.api.log;
  }

  /** Faults of the API. Droplets have their own. */
  get faults(): Faults {
    return this.#running.api.faults;
  }

  get balancer(): Balancer {
    return this.#running.balancer;
  }

  get balancerUrl(): string {
    return this.balancer.url;
  }

  get balancerId(): string {
    return this.#balancerRecord.id;
  }

  get controlUrl(): string {
    return this.#running.control.url;
  }

  get sshConfigPath(): string {
    return this.#files.sshConfig;
  }

  get knownHostsPath(): string {
    return this.#files.knownHosts;
  }

  get clientKeyPath(): string {
    return this.#files.clientKey;
  }

  get stagingDropletId(): number {
    return this.droplet(STAGING).id;
  }

  /** The minimum number of serving droplets since all of them served, or since `watchServing`. */
  fewestServing(): number {
    return this.balancer.fewestServing;
  }

  watchServing(): void {
    this.balancer.watchServing();
  }

  /** The machine with this name or id. Throws if there is none. */
  droplet(key: string | number): SandboxDroplet {
    const found = [...this.droplets.values()].find(({ id, name }) => name === key || id === Number(key));
    if (found === undefined) throw new Error(`no droplet "${key}"; there are ${[...this.droplets.keys()].join(', ')}`);
    return found;
  }

  /** Creates a machine. It joins balancers only by its tags. */
  async addDroplet(wish: NewDroplet = {}): Promise<DropletRecord> {
    const [record] = await this.#addDroplets([wish]);
    if (record === undefined) throw new Error('no droplet was added');
    return record;
  }

  /** Removes a droplet from the API, the balancer and the network. */
  async destroyDroplet(id: number): Promise<void> {
    const droplet = this.droplet(id);
    this.world.destroyDroplet(id);
    this.droplets.delete(droplet.name);
    await droplet.stop();
    await this.#writeFiles();
  }

  /** Releases all ports and processes. The folder is kept. */
  async stop(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) await release();
    await Promise.all([...this.droplets.values()].map((droplet) => droplet.stop()));
    this.droplets.clear();
    await this.#files.close();
  }

  get #running() {
    if (this.#parts === undefined) throw new Error('the region has not started');
    return this.#parts;
  }

  get #balancerRecord(): BalancerRecord {
    if (this.#record === undefined) throw new Error('the region has not started');
    return this.#record;
  }

  async #start(): Promise<void> {
    const { world } = this;
    const options = this.#options;
    const { droplets: count = 3, tagManaged = count > MAX_DROPLETS_BY_ID } = options;
    this.#authorizedKey = await this.#files.makeClientKey();
    const tags = tagManaged ? [BALANCER_TAG] : [];
    const behind = await this.#addDroplets(names(count).map((name) => ({ name, tags })));
    await this.#addDroplets([{ name: STAGING }]);

    const record = world.addBalancer({
      name: BALANCER,
      tag: tagManaged ? BALANCER_TAG : undefined,
      dropletIds: behind.map(({ id }) => id),
      healthCheck: { ...QUICK_CHECK, ...options.healthCheck },
    });
    this.#record = record;
    const api = await ApiServer.start({
      world,
      tokens: [{ token: options.token ?? TOKEN, scopes: options.scopes }],
      limits: { ...OFFICIAL_LIMITS, ...options.limits },
    });
    this.#releases.push(() => api.stop());
    const balancer = await Balancer.start({
      world,
      record,
      connect: (dropletId, port) => this.#connect(dropletId, port),
    });
    this.#releases.push(() => balancer.stop());
    const control = await ControlServer.start({
      world,
      api,
      balancers: [balancer],
      registry: this.registry,
      dropletFaults: this.#dropletFaults(),
      addDroplet: (wish) => this.addDroplet(wish),
      destroyDroplet: (id) => this.destroyDroplet(id),
    });
    this.#releases.push(() => control.stop());
    this.#parts = { api, balancer, control };
    await this.#writeFiles();
  }

  async #addDroplets(wishes: NewDroplet[]): Promise<DropletRecord[]> {
    const added = await Promise.all(
      wishes.map(async (wish) => {
        if (wish.name !== undefined && this.droplets.has(wish.name)) throw new Error(`droplet ${wish.name} exists`);
        const record = this.world.addDroplet(wish);
        const machine = await SandboxDroplet.start({
          id: record.id,
          name: record.name,
          privateAddress: record.privateAddress,
          folder: this.#files.dropletFolder(record.name),
          authorizedKey: this.#authorizedKey,
          user: SSH_USER,
          registry: this.registry,
        });
        this.droplets.set(record.name, machine);
        return record;
      }),
    );
    if (this.#parts !== undefined) await this.#writeFiles();
    return added;
  }

  /** Connects from the balancer over the VPC. */
  async #connect(dropletId: number, port: number): Promise<Socket> {
    const record = this.world.droplets.get(dropletId);
    const machine = record && this.droplets.get(record.name);
    if (machine === undefined) throw Object.assign(new Error('connect EHOSTUNREACH'), { code: 'EHOSTUNREACH' });
    return await machine.connect(port);
  }

  /** `{ "resetConnections": true }` cuts open SSH connections once; every other fault lasts until it is cleared. */
  #dropletFaults(): DropletFaultSwitch {
    return {
      set: async (name, { resetConnections, ...faults }) => {
        const droplet = this.droplet(name);
        await droplet.setFaults(parseDropletFaults(faults));
        if (resetConnections === true) droplet.resetConnections();
      },
      clear: async () => {
        await Promise.all([...this.droplets.values()].map((droplet) => droplet.clearFaults()));
      },
      list: () => Object.fromEntries([...this.droplets.values()].map(({ name, faults }) => [name, faults])),
    };
  }

  async #writeFiles(): Promise<void> {
    const targets = [...this.world.droplets.values()].flatMap((record) => {
      const machine = this.droplets.get(record.name);
      return machine ? [{ record, user: machine.user, port: machine.sshPort, hostKey: machine.hostKey }] : [];
    });
    await this.#files.writeSshFiles(targets);
    const { name, id } = this.#balancerRecord;
    await this.#files.writeInfo({
      api: this.api,
      balancer: { name, id, url: this.balancerUrl },
      control: this.controlUrl,
      ssh: { config: this.sshConfigPath, knownHosts: this.knownHostsPath, key: this.clientKeyPath },
      droplets: targets.map(({ record, port }) => ({ id: record.id, name: record.name, sshPort: port })),
      stagingDropletId: this.stagingDropletId,
    });
  }
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_value, index) => `web-${index + 1}`);
}
