/**
 * One region for many tests: its droplets are divided among environments, each with its own balancer and traffic, so that
 * tests run in parallel and share one first deploy.
 */
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { ApiCall } from '../../src/sandbox/api/server.js';
import { Balancer } from '../../src/sandbox/balancer.js';
import type { SandboxDroplet } from '../../src/sandbox/droplets/droplet.js';
import { Load, type LoadReport } from '../../src/sandbox/load.js';
import type { BalancerRecord } from '../../src/sandbox/records.js';
import type { RegionOptions } from '../../src/sandbox/region.js';
import { type CommandEnd, type RunningCommand, type RunOptions, SandboxFleet } from './sandbox-fleet.js';

/** An environment's share of the region. */
export interface Share {
  /** Default 2. */
  droplets?: number;
  /** The tag that manages the balancer. */
  tag?: string;
  /** Nothing was ever deployed to it. */
  fresh?: boolean;
  /** Its settings in config/deploy.yml, in addition to the balancer. */
  settings?: Record<string, unknown>;
  /** Of its balancer. Default: five checks a second. */
  checkEverySeconds?: number;
}

const NO_LIMITS = { perMinute: 1_000_000, perHour: 1_000_000 };
/** Five checks a second, with a timeout that a busy machine does not reach. */
const CHECKS = { intervalSeconds: 0.2, healthyThreshold: 2, unhealthyThreshold: 2, timeoutSeconds: 10 };
/** Healthchecks that detect unhealthy containers quickly. */
const CONTAINER_CHECKS = `services:
  app:
    healthcheck: { interval: 300ms, timeout: 10s, start_period: 300ms, retries: 3 }
  nginx:
    healthcheck: { interval: 300ms, timeout: 10s, start_period: 300ms, retries: 3 }
`;

/** A deploy mostly waits, so several run in parallel; on a busy machine they take long. */
const AT_ONCE = 4;
const PATIENCE_MS = 300_000;

/** Call at the top of a test file: the region starts before its tests and stops after them. */
export function dividedFleet(
  shares: Record<string, Share>,
  options: Partial<RegionOptions> = {},
): { readonly fleet: SandboxFleet; part(name: string): Part } {
  vi.setConfig({ maxConcurrency: AT_ONCE, testTimeout: PATIENCE_MS, hookTimeout: PATIENCE_MS });
  let divided: DividedFleet | undefined;
  beforeAll(async () => {
    divided = await DividedFleet.start(shares, options);
  }, PATIENCE_MS);
  afterAll(() => divided?.stop(), PATIENCE_MS);
  const started = () => {
    if (divided === undefined) throw new Error('the region has not started');
    return divided;
  };
  return {
    get fleet() {
      return started().fleet;
    },
    part: (name) => started().part(name),
  };
}

class DividedFleet {
  readonly fleet: SandboxFleet;
  readonly #parts = new Map<string, Part>();

  private constructor(fleet: SandboxFleet) {
    this.fleet = fleet;
  }

  /** Resolves when every environment that is not `fresh` serves v1. */
  static async start(shares: Record<string, Share>, options: Partial<RegionOptions> = {}): Promise<DividedFleet> {
    const droplets = sum(Object.values(shares).map((share) => (share.fresh ? 0 : sizeOf(share))));
    const fleet = await SandboxFleet.start({ droplets, limits: NO_LIMITS, healthCheck: CHECKS, ...options });
    const divided = new DividedFleet(fleet);
    try {
      await fleet.deployFirst('v1');
      await divided.#divide(shares);
      await Promise.all(divided.#all.map((part) => part.serves()));
    } catch (error) {
      await divided.stop();
      throw error;
    }
    return divided;
  }

  part(name: string): Part {
    const part = this.#parts.get(name);
    if (part === undefined) throw new Error(`no environment ${name}`);
    return part;
  }

  /** Rejects if the sandbox was asked for something that it does not imitate: the tests then prove little. */
  async stop(): Promise<void> {
    const { world, droplets } = this.fleet.region;
    const unknown = [...world.unknownRequests, ...[...droplets.values()].flatMap(({ unimplemented }) => unimplemented)];
    await Promise.all(this.#all.map((part) => part.balancer.stop()));
    await this.fleet.stop();
    if (unknown.length > 0) throw new Error(`the sandbox does not know: ${unknown.join('; ')}`);
  }

  get #all(): Part[] {
    return [...this.#parts.values()];
  }

  async #divide(shares: Record<string, Share>): Promise<void> {
    const { region, folder } = this.fleet;
    const { world } = region;
    // Removes them from the balancer of the first deploy.
    const { id: main, tag, accepted } = world.balancer(region.balancerId);
    const ids = accepted.ids;
    if (tag === undefined) world.removeFromBalancer(main, ids);
    else world.untagDroplets(tag, ids);

    const file = join(folder, 'config/deploy.yml');
    const settings = parse(await readFile(file, 'utf8')) as { environments: Record<string, unknown> };
    for (const [name, share] of Object.entries(shares)) {
      const size = sizeOf(share);
      const own = share.fresh ? await newDroplets(this.fleet, name, size) : ids.splice(0, size);
      const intervalSeconds = share.checkEverySeconds ?? CHECKS.intervalSeconds;
      const healthCheck = { path: '/healthz', ...CHECKS, intervalSeconds };
      if (share.tag !== undefined) {
        world.createTag(share.tag);
        world.tagDroplets(share.tag, own);
      }
      const members = share.tag === undefined ? { dropletIds: own } : { tag: share.tag };
      const record = world.addBalancer({ name: `lb-${name}`, ...members, healthCheck });
      const connect = (id: number, port: number) => region.droplet(id).connect(port);
      const balancer = await Balancer.start({ world, record, connect });
      this.#parts.set(name, new Part(this.fleet, name, own, balancer, record, share.fresh === true));
      if (!share.fresh) await Promise.all(own.map((id) => renameEnvironment(region.droplet(id).home, name)));
      settings.environments[name] = { load_balancer: `lb-${name}`, ...share.settings };
      await writeFile(join(folder, `compose/docker-compose.${name}.yml`), CONTAINER_CHECKS);
      await writeFile(join(folder, `config/.env.${name}`), 'SECRET_KEY=not-a-secret-in-the-sandbox\n', { mode: 0o600 });
    }
    await writeFile(file, stringify(settings));
  }
}

/** Makes the first deploy look like this environment's: two environments on one droplet would be refused. */
async function renameEnvironment(home: string, name: string): Promise<void> {
  const releases = join(home, 'do-deploy/shop/releases');
  for (const id of await readdir(releases)) {
    const file = join(releases, id, 'release.json');
    const record = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, `${JSON.stringify({ ...record, environment: name })}\n`);
    // The compose file contains this environment's name.
    await copyFile(join(releases, id, 'config/.env.sandbox'), join(releases, id, `config/.env.${name}`));
  }
}

function sizeOf({ droplets = 2 }: Share): number {
  return droplets;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

async function newDroplets({ region }: SandboxFleet, name: string, count: number): Promise<number[]> {
  const ids: number[] = [];
  for (let number = 1; number <= count; number++) {
    ids.push((await region.addDroplet({ name: `${name}-${number}` })).id);
  }
  return ids;
}

/** An environment with its droplets, in deploy order. */
export class Part {
  readonly name: string;
  readonly droplets: SandboxDroplet[];
  readonly balancer: Balancer;
  readonly record: BalancerRecord;
  readonly #fleet: SandboxFleet;
  readonly #isFresh: boolean;

  constructor(
    fleet: SandboxFleet,
    name: string,
    ids: readonly number[],
    balancer: Balancer,
    record: BalancerRecord,
    isFresh: boolean,
  ) {
    this.#fleet = fleet;
    this.name = name;
    this.droplets = ids.toSorted((a, b) => a - b).map((id) => fleet.region.droplet(id));
    this.balancer = balancer;
    this.record = record;
    this.#isFresh = isFresh;
  }

  /** Runs `do-deploy ENVIRONMENT RELEASE --json`. */
  deploy(release: string, flags: string[] = [], options: RunOptions = {}): Promise<CommandEnd> {
    return this.startDeploy(release, flags, options).ended;
  }

  startDeploy(release: string, flags: string[] = [], options: RunOptions = {}): RunningCommand {
    return this.#fleet.start([this.name, release, '--yes', '--json', ...flags], options);
  }

  run(args: string[], options: RunOptions = {}): Promise<CommandEnd> {
    return this.#fleet.run(args, options);
  }

  /** Runs the task with traffic on the balancer. Returns the task's result and the load's report. */
  async underLoad<T>(task: () => Promise<T>): Promise<{ end: T; report: LoadReport }> {
    const load = Load.start({
      url: this.balancer.url,
      // Several parts at a time, and their traffic goes through one process.
      requestsPerSecond: 10,
      maxInProgress: 40,
      slowEvery: 20,
      slowMs: 500,
    });
    try {
      return { end: await task(), report: await load.stop() };
    } catch (error) {
      await load.stop();
      throw error;
    }
  }

  /** Resolves when every member gets traffic. */
  async serves(): Promise<void> {
    const wanted = this.#isFresh ? 0 : this.droplets.length;
    await this.balancer.until((backends) => backends.filter(({ up }) => up).length >= wanted, 60_000);
  }

  /** Rotation, ledger and containers, read from the region. Equal to an earlier state if nothing was changed. */
  state() {
    const { world } = this.#fleet.region;
    return this.droplets.map(({ id, name, engine }) => ({
      name,
      rotation: this.record.accepted.has(id) ? 'in' : 'out',
      tags: [...(world.droplets.get(id)?.tags ?? [])],
      containers: engine
        .containers()
        .map((container) => `${container.service} ${container.status} ${container.id}`)
        .sort(),
    }));
  }

  /** A summary per droplet: `in v1`, `out broken`, with its tags. */
  summary(): string[] {
    return this.state().map(({ rotation, tags }, index) => {
      const app = this.droplets[index]?.engine.containers({ 'com.docker.compose.service': 'app' })[0];
      const version = app?.spec.env.SHOP_VERSION ?? 'nothing';
      return [rotation, version, ...tags].join(' ');
    });
  }

  /** Calls so far that changed the rotation. */
  rotationCalls(): ApiCall[] {
    const path = `/load_balancers/${this.record.id}/droplets`;
    return this.#fleet.region.apiLog.filter((call) => call.method !== 'GET' && call.path.endsWith(path));
  }
}
