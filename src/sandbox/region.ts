/** A DigitalOcean region in a box: API, droplets, balancer and control endpoint in this process, files in one folder. */
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { OFFICIAL_LIMITS, type RateLimits } from './api/rate-limit.js';
import { ApiServer } from './api/server.js';
import { Balancer } from './balancer.js';
import { ControlServer, type NewDroplet } from './control.js';
import { exampleRegistry } from './docker/images/example-registry.js';
import type { Credentials, Registry } from './docker/registry.js';
import { SandboxDroplet } from './droplets/droplet.js';
import { parseDropletFaults } from './droplets/faults.js';
import type { DropletFaultSwitch, Faults } from './faults.js';
import type { BalancerRecord, DropletRecord, HealthCheckRecord, Timing } from './records.js';
import { RegionFiles } from './region-files.js';
import { MAX_DROPLETS_BY_ID, World } from './world.js';

export interface RegionOptions extends Partial<Timing> {
  /** Everything the region writes lies below. Made when it is missing. */
  folder: string;
  /** How many droplets are behind the balancer (default 3, up to 253); one more, `staging`, is not. */
  droplets?: number;
  /** Default: with more than ten droplets, where DigitalOcean takes nothing else. */
  tagManaged?: boolean;
  token?: string;
  /** Scopes of the token; default: all. */
  scopes?: string[];
  limits?: Partial<RateLimits>;
  /** Default: http on port 80, /healthz, every second, two passes, three failures. */
  healthCheck?: Partial<HealthCheckRecord>;
  proxyProtocol?: boolean;
  /** With them, the registry's images other than the official ones are private. */
  registryCredentials?: Credentials;
  /** Version that the droplets' Docker claims. */
  dockerVersion?: string;
  /** Ports; default: free ones. */
  apiPort?: number;
  balancerPort?: number;
  controlPort?: number;
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
  /** The droplets' machines, by name. */
  readonly droplets = new Map<string, SandboxDroplet>();
  readonly registry: Registry;
  readonly balancerName = BALANCER;

  readonly #options: RegionOptions;
  readonly #files: RegionFiles;
  readonly #token: string;
  #authorizedKey = '';
  #record: BalancerRecord | undefined;
  #parts: { api: ApiServer; balancer: Balancer; control: ControlServer } | undefined;
  /** How to release what was started, in the order of starting. */
  readonly #releases: (() => Promise<void>)[] = [];

  private constructor(options: RegionOptions, files: RegionFiles) {
    const { apiDelayMs = 0, effectDelayMs = 0, busyMs = 0 } = options;
    this.#options = options;
    this.#files = files;
    this.#token = options.token ?? TOKEN;
    this.folder = files.folder;
    this.world = new World({ timing: { apiDelayMs, effectDelayMs, busyMs } });
    this.registry = exampleRegistry(options.registryCredentials && { credentials: options.registryCredentials });
  }

  /** The droplets run nothing yet: the balancer answers 503 until something is deployed to them. */
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
    return { url: this.#running.api.url, token: this.#token };
  }

  /** Calls of the API so far. */
  get apiLog(): ApiServer['log'] {
    return this.#running.api.log;
  }

  /** Faults of the API; `droplets` have their own. */
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

  /** The least number of droplets that served at once since all of them did, or since `watchServing`. */
  fewestServing(): number {
    return this.balancer.fewestServing;
  }

  watchServing(): void {
    this.balancer.watchServing();
  }

  /** The machine with this name or id. Throws when there is none. */
  droplet(key: string | number): SandboxDroplet {
    const found = [...this.droplets.values()].find(({ id, name }) => name === key || id === Number(key));
    if (found === undefined) throw new Error(`no droplet "${key}"; there are ${[...this.droplets.keys()].join(', ')}`);
    return found;
  }

  /** A new machine, in no balancer yet except by its tags. */
  async addDroplet(wish: NewDroplet = {}): Promise<DropletRecord> {
    const [record] = await this.#addDroplets([wish]);
    if (record === undefined) throw new Error('no droplet was added');
    return record;
  }

  /** Somebody destroys it: gone from the API, the balancer and the network. */
  async destroyDroplet(id: number): Promise<void> {
    const droplet = this.droplet(id);
    this.world.destroyDroplet(id);
    this.droplets.delete(droplet.name);
    await droplet.stop();
    await this.#writeFiles();
  }

  /** Releases every port and process. The folder stays. */
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
      ...(tagManaged ? { tag: BALANCER_TAG } : { dropletIds: behind.map(({ id }) => id) }),
      healthCheck: { ...QUICK_CHECK, ...options.healthCheck },
      proxyProtocol: options.proxyProtocol ?? false,
    });
    this.#record = record;
    const { scopes, apiPort, balancerPort, controlPort } = options;
    const api = await ApiServer.start({
      world,
      tokens: [{ token: this.#token, ...(scopes && { scopes }) }],
      limits: { ...OFFICIAL_LIMITS, ...options.limits },
      port: apiPort,
    });
    this.#releases.push(() => api.stop());
    const balancer = await Balancer.start({
      world,
      record,
      connect: (dropletId, port) => this.#connect(dropletId, port),
      port: balancerPort,
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
      port: controlPort,
    });
    this.#releases.push(() => control.stop());
    this.#parts = { api, balancer, control };
    await this.#writeFiles();
  }

  async #addDroplets(wishes: NewDroplet[]): Promise<DropletRecord[]> {
    const added = await Promise.all(
      wishes.map(async (wish) => {
        if (wish.name !== undefined && this.droplets.has(wish.name)) throw new Error(`there is a ${wish.name} already`);
        const record = this.world.addDroplet(wish);
        const machine = await SandboxDroplet.start({
          id: record.id,
          name: record.name,
          privateAddress: record.privateAddress,
          folder: this.#files.dropletFolder(record.name),
          authorizedKey: this.#authorizedKey,
          user: SSH_USER,
          registry: this.registry,
          dockerVersion: this.#options.dockerVersion,
        });
        this.droplets.set(record.name, machine);
        return record;
      }),
    );
    if (this.#parts !== undefined) await this.#writeFiles();
    return added;
  }

  /** From the balancer, over the VPC. */
  async #connect(dropletId: number, port: number): Promise<Socket> {
    const record = this.world.droplets.get(dropletId);
    const machine = record && this.droplets.get(record.name);
    if (machine === undefined) throw Object.assign(new Error('connect EHOSTUNREACH'), { code: 'EHOSTUNREACH' });
    return await machine.connect(port);
  }

  /** `{ "resetConnections": true }` cuts live SSH connections; everything else is a lasting fault. */
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
