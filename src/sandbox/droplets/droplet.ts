import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { runStandIn } from '../docker/cli/run.js';
import { Engine } from '../docker/engine.js';
import type { PortRule } from '../docker/published-ports.js';
import type { Registry } from '../docker/registry.js';
import { Executor } from './exec.js';
import { type DropletFaults, NO_FAULTS } from './faults.js';
import { SshServer } from './ssh-server.js';
import { StandInServer } from './stand-in-server.js';
import { STAND_INS_VARIABLE, SYSTEM_PATH, writeStandIns } from './stand-ins.js';

export interface SandboxDropletOptions {
  id: number;
  name: string;
  /** Its address in the VPC: virtual, but SSH forwarding accepts it. */
  privateAddress: string;
  /** Holds all of the droplet's files. Created if it is missing. */
  folder: string;
  /** Public key line. */
  authorizedKey: string;
  user: string;
  registry: Registry;
}

/** Source addresses, to distinguish connections in /proc/net/tcp. Checks inside containers come from 127.0.0.1. */
const FROM_BALANCER = '127.0.0.2';
const FROM_HOST = '127.0.0.3';

/**
 * A droplet in the sandbox: a folder with `home/`, `bin/` and `run/`, an SSH server that really runs commands there, and a
 * stand-in Docker whose containers are servers in this process.
 */
export class SandboxDroplet {
  readonly id: number;
  readonly name: string;
  readonly privateAddress: string;
  readonly user: string;
  readonly folder: string;
  /** $HOME of the SSH user. */
  readonly home: string;
  readonly engine: Engine;
  /** Requests that the stand-ins do not support: tests assert that there were none. */
  readonly unimplemented: string[] = [];
  readonly #faults: DropletFaults = { ...NO_FAULTS };
  readonly #freeKilobytes: string;
  #parts: { ssh: SshServer; standIns: StandInServer; executor: Executor } | undefined;

  private constructor(options: SandboxDropletOptions) {
    this.id = options.id;
    this.name = options.name;
    this.privateAddress = options.privateAddress;
    this.user = options.user;
    mkdirSync(options.folder, { recursive: true });
    this.folder = realpathSync(options.folder);
    this.home = join(this.folder, 'home');
    for (const folder of ['home', 'run', 'run/locks', 'tmp']) mkdirSync(join(this.folder, folder), { recursive: true });
    this.#freeKilobytes = join(this.folder, 'run', 'free-kilobytes');
    writeStandIns(join(this.folder, 'bin'), this.#freeKilobytes);
    this.engine = new Engine({
      registry: options.registry,
      folder: join(this.folder, 'docker'),
      boundary: this.folder,
      faults: this.#faults,
      notImplemented: (what) => this.unimplemented.push(what),
    });
  }

  static async start(options: SandboxDropletOptions): Promise<SandboxDroplet> {
    const droplet = new SandboxDroplet(options);
    await droplet.#boot(options.authorizedKey);
    return droplet;
  }

  /** Port of its sshd on 127.0.0.1. */
  get sshPort(): number {
    return this.#running.ssh.port;
  }

  /** `ssh-ed25519 AAAA…`, for known_hosts. */
  get hostKey(): string {
    return this.#running.ssh.hostKey;
  }

  get faults(): Readonly<DropletFaults> {
    return this.#faults;
  }

  /** Changes the given faults and keeps the others. Resolves when they are in effect. */
  async setFaults(faults: Partial<DropletFaults>): Promise<void> {
    Object.assign(this.#faults, faults);
    const { diskFull, diskFreeMb } = this.#faults;
    const free = diskFull ? 0 : diskFreeMb;
    if (free === null) rmSync(this.#freeKilobytes, { force: true });
    else writeFileSync(this.#freeKilobytes, `${free * 1024}`);
    await this.#running.ssh.resettle();
  }

  clearFaults(): Promise<void> {
    return this.setFaults(NO_FAULTS);
  }

  /** Resets every open SSH connection, like a reboot. */
  resetConnections(): void {
    this.#running.ssh.resetConnections();
  }

  /**
   * Connects from the balancer over the VPC to the container that publishes the port, and counts in its DNAT rule.
   * Rejects with ECONNREFUSED if nothing is published or nothing listens.
   */
  connect(port: number): Promise<Socket> {
    return this.#open(this.privateAddress, port, FROM_BALANCER);
  }

  /** Ends containers, connections and commands. The folder is kept. */
  async stop(): Promise<void> {
    const { ssh, standIns, executor } = this.#running;
    standIns.stop();
    ssh.stop();
    await executor.stop();
    this.engine.stop();
  }

  get #running() {
    if (this.#parts === undefined) throw new Error(`${this.name} has not started`);
    return this.#parts;
  }

  async #boot(authorizedKey: string): Promise<void> {
    const standIns = await StandInServer.start((call) => runStandIn(this.engine, call));
    const executor = new Executor({
      cwd: this.home,
      env: this.#environment(standIns.address),
      folder: join(this.folder, 'run'),
      faults: this.#faults,
    });
    const ssh = await SshServer.start({
      user: this.user,
      authorizedKey,
      executor,
      sftp: { home: this.home, boundary: this.folder, faults: this.#faults },
      faults: this.#faults,
      forward: (address, port) => this.#open(address === 'localhost' ? '127.0.0.1' : address, port, FROM_HOST),
    });
    this.#parts = { ssh, standIns, executor };
  }

  #environment(standIns: string): Record<string, string> {
    return {
      HOME: this.home,
      PATH: `${join(this.folder, 'bin')}:${SYSTEM_PATH}`,
      USER: this.user,
      LOGNAME: this.user,
      SHELL: '/bin/sh',
      LANG: 'C.UTF-8',
      // Keeps mktemp inside the folder.
      TMPDIR: join(this.folder, 'tmp'),
      // Droplets of a region share this machine's /run/lock.
      DO_DEPLOY_LOCK_DIR: join(this.folder, 'run/locks'),
      // Its system is this machine's.
      DO_DEPLOY_NO_BOOTSTRAP: 'it is a droplet of the sandbox, whose system is that of your own machine',
      [STAND_INS_VARIABLE]: standIns,
    };
  }

  async #open(address: string, port: number, source: string): Promise<Socket> {
    const container = this.engine.containers().find((one) => one.address === address && one.running);
    const own = container?.portOf(port);
    if (own !== undefined) return await connected(own, source);
    const known = address === '127.0.0.1' || address === this.privateAddress;
    const rule = known ? this.engine.ports.find(address, port) : undefined;
    if (rule === undefined) throw refused(address, port);
    count(rule, address);
    const place = rule.container.portOf(rule.containerPort);
    if (place === undefined) throw refused(address, port);
    return await connected(place, source);
  }
}

/**
 * Docker's DNAT rule sees connections to the droplet's own address, also from the droplet itself (OUTPUT leads to the
 * DOCKER chain for every address except 127.0.0.0/8, which docker-proxy serves).
 */
function count(rule: PortRule, address: string): void {
  if (!address.startsWith('127.')) rule.packets += 1;
}

function connected(port: number, source: string): Promise<Socket> {
  // Only Linux accepts every address of 127.0.0.0/8.
  const localAddress = process.platform === 'linux' ? source : '127.0.0.1';
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

function refused(address: string, port: number): NodeJS.ErrnoException {
  const message = `connect ECONNREFUSED ${address}:${port}`;
  return Object.assign(new Error(message), { code: 'ECONNREFUSED', syscall: 'connect', address, port });
}
