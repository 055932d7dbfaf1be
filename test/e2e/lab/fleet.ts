/** Droplets behind a balancer, DigitalOcean's API, a project to deploy, and the real command as a process. */
import type { ChildProcess } from 'node:child_process';
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiServer } from '../../../src/sandbox/api/server.js';
import { Load, type LoadOptions } from '../../../src/sandbox/load.js';
import type { BalancerRecord, DropletRecord, HealthCheckRecord, Timing } from '../../../src/sandbox/records.js';
import { World } from '../../../src/sandbox/world.js';
import { type CommandEnd, type RunningCommand, startCommand } from './command.js';
import { HaProxy } from './haproxy.js';
import { Machine } from './machine.js';
import { must } from './processes.js';
import { Project } from './project.js';
import { inRoot } from './region.js';

export interface FleetOptions extends Partial<Timing> {
  /** Default 3. */
  droplets?: number;
  /** Default: every second, healthy after two passes, unhealthy after three failures. */
  healthCheck?: Partial<HealthCheckRecord>;
  /** The balancer keeps its connections to droplets, also while they are idle. */
  keepAlive?: boolean;
  /** The SSH user. A user other than root is created in group docker. */
  user?: string;
  diskMegabytes?: number;
  /** Size of root's ~/do-deploy. Default: unlimited. */
  homeMegabytes?: number;
  /** Droplets with containerd's image store, by name. */
  containerdStore?: string[];
  /** A tag manages the balancer. */
  tagManaged?: boolean;
  /** Number of droplets that are created later, by `join`. Default 0. */
  later?: number;
  /** Droplets on which nothing is prepared. They have Debian's sshd, and root's key. */
  fresh?: boolean;
  /** Override the project's config/deploy.yml. */
  settings?: Record<string, unknown>;
}

/** Where the command runs: its working directory and home. */
export interface Place {
  cwd: string;
  home: string;
}

export const TOKEN = 'dop_v1_e2e-token-93d2c7';
export const BALANCER_TAG = 'web';
const QUICK: Partial<HealthCheckRecord> = {
  path: '/healthz',
  intervalSeconds: 1,
  timeoutSeconds: 2,
  healthyThreshold: 2,
  unhealthyThreshold: 3,
};

export class Fleet {
  readonly world: World;
  readonly api: ApiServer;
  readonly balancer: HaProxy;
  readonly record: BalancerRecord;
  /** Those behind the balancer, in the order in which they joined. */
  readonly machines: Machine[];
  readonly project: Project;
  readonly knownHosts: string;
  /** Holds the key (id_ed25519), the project, and everything that belongs to no droplet. */
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();
  readonly #start: (record: DropletRecord) => Promise<Machine>;
  readonly #later: DropletRecord[];

  private constructor(
    parts: Pick<Fleet, 'world' | 'api' | 'balancer' | 'record' | 'machines' | 'project' | 'knownHosts'>,
    folder: string,
    start: (record: DropletRecord) => Promise<Machine>,
    later: DropletRecord[],
  ) {
    this.#start = start;
    this.#later = later;
    this.world = parts.world;
    this.api = parts.api;
    this.balancer = parts.balancer;
    this.record = parts.record;
    this.machines = parts.machines;
    this.project = parts.project;
    this.knownHosts = parts.knownHosts;
    this.folder = folder;
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const folder = await mkdtemp(inRoot('fleet-'));
    const { droplets: count = 3, user = 'root', apiDelayMs = 0, effectDelayMs = 1_000, busyMs = 0 } = options;
    const world = new World({ timing: { apiDelayMs, effectDelayMs, busyMs } });
    const key = join(folder, 'id_ed25519');
    await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'deployer', '-f', key]);
    const authorizedKey = (await readFile(`${key}.pub`, 'utf8')).trim();
    const tags = options.tagManaged ? [BALANCER_TAG] : [];
    const records = Array.from({ length: count + (options.later ?? 0) }, (_, index) =>
      world.addDroplet({ name: `web-${index + 1}`, tags: index < count ? tags : [] }),
    );
    const later = records.slice(count);
    const start = ({ name, publicAddress, privateAddress }: DropletRecord) =>
      Machine.start({
        name,
        publicAddress,
        privateAddress,
        folder: join(folder, name),
        authorizedKey,
        diskMegabytes: options.diskMegabytes,
        homeMegabytes: options.homeMegabytes,
        containerdStore: options.containerdStore?.includes(name),
        fresh: options.fresh,
      });
    const machines = await Promise.all(records.slice(0, count).map(start));
    await Promise.all(machines.map((machine) => (options.fresh ? machine.reachable() : machine.ready())));
    if (user !== 'root' && !options.fresh) await Promise.all(machines.map((machine) => addUser(machine, user)));

    const record = world.addBalancer({
      name: 'web',
      ...(options.tagManaged ? { tag: BALANCER_TAG } : { dropletIds: records.slice(0, count).map(({ id }) => id) }),
      healthCheck: { ...QUICK, ...options.healthCheck },
      backendKeepalive: options.keepAlive ?? false,
    });
    const api = await ApiServer.start({ world, tokens: [{ token: TOKEN }] });
    const balancer = await HaProxy.start(folder, world, record, records);
    const knownHosts = join(folder, 'known_hosts');
    const sshConfig = join(folder, 'ssh_config');
    await writeFile(knownHosts, machines.map(knownHost).join(''));
    await writeFile(sshConfig, records.map(({ name }) => sshEntry(name, key, knownHosts)).join('\n'));
    const project = await Project.write({
      folder: join(folder, 'project'),
      apiUrl: api.url,
      token: TOKEN,
      balancer: record.name,
      sshConfig,
      user,
      ...(options.settings && { settings: options.settings }),
    });
    await mkdir(join(folder, 'home'));
    return new Fleet({ world, api, balancer, record, machines, project, knownHosts }, folder, start, later);
  }

  /** Creates a droplet that runs only Docker, and adds it to the balancer, like an operator would. */
  async join(): Promise<Machine> {
    const droplet = this.#later.shift();
    if (droplet === undefined) throw new Error('no droplet is left to join: see the option `later`');
    const machine = await this.#start(droplet);
    this.machines.push(machine);
    await machine.ready();
    await appendFile(this.knownHosts, knownHost(machine));
    if (this.record.tag === undefined) this.world.addToBalancer(this.record.id, [droplet.id]);
    else this.world.tagDroplets(this.record.tag, [droplet.id]);
    return machine;
  }

  /** Makes a user on every droplet, in group docker. Returns a configuration file that logs in as that user. */
  async addUser(user: string): Promise<string> {
    await Promise.all(this.machines.map((machine) => addUser(machine, user)));
    const config = `config/deploy.${user}.yml`;
    await this.project.writeFor(user, config);
    return config;
  }

  machine(name: string): Machine {
    const found = this.machines.find((machine) => machine.name === name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Deploys to all droplets in one batch, because nothing serves yet. Resolves when all of them get traffic. */
  async deployFirst(release = 'v1'): Promise<void> {
    const end = await this.deployAtOnce(release);
    if (end.code !== 0) throw new Error(`the first deploy failed (${end.code}):\n${end.stdout}\n${end.stderr}`);
    await this.balancer.allUp();
    this.balancer.watchServing();
  }

  /** In one batch: for tests that are not about rolling, in half the time. */
  deployAtOnce(release: string): Promise<CommandEnd> {
    return this.deploy(release, '--config', 'config/at-once.yml', '--allow-downtime');
  }

  deploy(release: string, ...more: string[]): Promise<CommandEnd> {
    return this.startDeploy(release, ...more).ended;
  }

  startDeploy(release: string, ...more: string[]): RunningCommand {
    return this.start(['deploy', 'production', release, '--yes', '--json', ...more]);
  }

  run(args: string[], place?: Place): Promise<CommandEnd> {
    return this.start(args, place).ended;
  }

  /** Another machine: the settings and the token, without the release's files and any state. */
  async elsewhere(): Promise<Place> {
    const place = { cwd: join(this.folder, 'elsewhere'), home: join(this.folder, 'home-elsewhere') };
    await mkdir(place.home);
    for (const file of ['config/deploy.yml', 'config/.env']) {
      await cp(join(this.project.folder, file), join(place.cwd, file), { recursive: true });
    }
    return place;
  }

  /** Starts the command, by default in the project's folder. */
  start(args: string[], place?: Place, env?: Record<string, string>): RunningCommand {
    const own = place ?? { cwd: this.project.folder, home: join(this.folder, 'home') };
    const command = startCommand(args, { ...own, env });
    this.#children.add(command.child);
    void command.ended.then(() => this.#children.delete(command.child));
    return command;
  }

  load(options: Partial<LoadOptions> = {}): Load {
    return Load.start({ url: this.balancer.url, requestsPerSecond: 20, ...options });
  }

  /** The version that every droplet answers directly, by name. */
  async versions(): Promise<Record<string, string>> {
    const answers = this.machines.map(async (machine) => {
      const answer = await fetch(`http://${machine.privateAddress}/`).catch(() => undefined);
      return [machine.name, answer?.headers.get('x-version') ?? `HTTP ${answer?.status}`] as const;
    });
    return Object.fromEntries(await Promise.all(answers));
  }

  /**
   * The kinds of what `status --check` finds. `docker-differs` is expected of fleets with both image stores: containerd's
   * needs another version of Docker than Debian 12 has.
   */
  async differences(): Promise<string[]> {
    const { stdout } = await this.run(['status', 'production', '--check', '--json']);
    const line = stdout.split('\n').find((one) => one.includes('"type":"drift"')) ?? '{"differences":[]}';
    const { differences } = JSON.parse(line) as { differences: { kind: string }[] };
    return [...new Set(differences.map(({ kind }) => kind))];
  }

  /** The number of members and of those that get traffic, and the droplets in the ledger. */
  async rotation(): Promise<{ members: number; up: number; inLedger: string[] }> {
    const tagged = [...this.world.droplets.values()].filter(({ tags }) =>
      [...tags].some((tag) => tag.includes(':out:')),
    );
    return {
      members: this.record.accepted.size,
      up: (await this.balancer.up()).length,
      inLedger: tagged.map(({ name }) => name),
    };
  }

  /** The rotation that is expected at the end of almost every test. */
  get whole(): { members: number; up: number; inLedger: string[] } {
    return { members: this.machines.length, up: this.machines.length, inLedger: [] };
  }

  /** The expected `versions` if all droplets run the same. */
  all(version: string): Record<string, string> {
    return Object.fromEntries(this.machines.map(({ name }) => [name, version]));
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.balancer.stop();
    await this.api.stop();
    await Promise.all(this.machines.map((machine) => machine.stop()));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Makes a user on a droplet, in group docker. */
export async function addUser(machine: Machine, user: string): Promise<void> {
  // The password `*` allows no login by password; without a password, sshd treats the account as locked.
  await machine.must(`
    useradd --create-home --shell /bin/bash --groups docker --password '*' ${user}
    mkdir -m 700 /home/${user}/.ssh
    cp /root/.ssh/authorized_keys /home/${user}/.ssh/
    chown -R ${user}: /home/${user}/.ssh`);
}

function knownHost({ publicAddress, hostKey }: Machine): string {
  return `${publicAddress} ${hostKey}\n`;
}

function sshEntry(host: string, key: string, knownHosts: string): string {
  return `Host ${host}\n  IdentityFile "${key}"\n  IdentitiesOnly yes\n  UserKnownHostsFile "${knownHosts}"\n`;
}
