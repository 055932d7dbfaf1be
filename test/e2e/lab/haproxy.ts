/**
 * The balancer: HAProxy with the health checks of the sandbox's record, following its effective membership. With
 * `retries 0` and without redispatch, it hides no failure of a droplet.
 */
import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { BalancerRecord, DropletRecord } from '../../../src/sandbox/records.js';
import type { World } from '../../../src/sandbox/world.js';
import { end, keep, until } from './processes.js';

const PORT = 8080;
const STATE_PORT = 8081;
/** Its state as CSV, for scripts. DigitalOcean offers nothing like it. */
export const HAPROXY_STATE = `http://127.0.0.1:${STATE_PORT}/;csv`;
const WATCH_EVERY_MS = 100;

export class HaProxy {
  readonly url = `http://127.0.0.1:${PORT}`;
  /** The minimum number of droplets that were up since `watchServing`. */
  fewestServing = Number.POSITIVE_INFINITY;
  /** How long each droplet was not up since `watchServing`, in ms, by id. */
  readonly outMs = new Map<number, number>();
  readonly #record: BalancerRecord;
  readonly #droplets: readonly DropletRecord[];
  readonly #process: ChildProcess;
  readonly #socket: string;
  readonly #stopListening: () => void;
  #members = new Set<number>();
  #watch: NodeJS.Timeout | undefined;
  #checkedAt = 0;
  /** Commands are sent one by one. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    world: World,
    record: BalancerRecord,
    droplets: readonly DropletRecord[],
    process: ChildProcess,
    socket: string,
  ) {
    this.#record = record;
    this.#droplets = droplets;
    this.#process = process;
    this.#socket = socket;
    this.#members = new Set(record.serving.ids);
    this.#stopListening = world.onServing((changed) => {
      if (changed === record) this.#follow();
    });
  }

  static async start(
    folder: string,
    world: World,
    record: BalancerRecord,
    droplets: readonly DropletRecord[],
  ): Promise<HaProxy> {
    const socket = join(folder, 'haproxy.sock');
    const config = join(folder, 'haproxy.cfg');
    await writeFile(config, configuration(socket, record, droplets));
    const process = keep('nice', ['-n', '-10', 'haproxy', '-db', '-f', config], join(folder, 'haproxy.log'));
    const proxy = new HaProxy(world, record, droplets, process, socket);
    await until('HAProxy', 10_000, async () => (await proxy.#ask('show info')).includes('Version'));
    for (const droplet of droplets) await proxy.#tell(droplet.id, proxy.#members.has(droplet.id));
    return proxy;
  }

  /** Resets `fewestServing` and `outMs`. */
  watchServing(): void {
    this.fewestServing = Number.POSITIVE_INFINITY;
    for (const { id } of this.#droplets) this.outMs.set(id, 0);
    this.#checkedAt = performance.now();
    this.#watch ??= setInterval(() => void this.#check().catch(() => {}), WATCH_EVERY_MS);
  }

  /** Ids of the droplets that get traffic. */
  async up(): Promise<number[]> {
    const stat = await this.#ask('show stat');
    const up = new Set<string>();
    for (const line of stat.split('\n')) {
      const [proxy, server, ...fields] = line.split(',');
      // The 18th field is the status: UP, `UP 1/2` (failing), `DOWN 1/2` (rising), MAINT, …
      if (proxy === 'droplets' && server && fields[15]?.startsWith('UP')) up.add(server);
    }
    return this.#droplets.filter((droplet) => up.has(serverName(droplet.id))).map((droplet) => droplet.id);
  }

  /** Resolves when all members get traffic, also those that were just added. */
  async allUp(): Promise<void> {
    const wanted = this.#record.accepted.ids;
    await until('every droplet up', 30_000, async () => {
      const up = await this.up();
      return up.length === wanted.length && wanted.every((id) => up.includes(id));
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch);
    this.#stopListening();
    await end(this.#process);
  }

  #follow(): void {
    const now = new Set(this.#record.serving.ids);
    for (const { id } of this.#droplets) {
      if (now.has(id) !== this.#members.has(id)) void this.#tell(id, now.has(id)).catch(() => {});
    }
    this.#members = now;
  }

  /** A joining droplet gets traffic after its checks have passed. */
  #tell(id: number, member: boolean): Promise<unknown> {
    const server = `droplets/${serverName(id)}`;
    return this.#ask(
      member
        ? `set server ${server} state ready; set server ${server} health down`
        : `set server ${server} state maint`,
    );
  }

  async #check(): Promise<void> {
    const up = await this.up();
    const now = performance.now();
    for (const { id } of this.#droplets) {
      if (!up.includes(id)) this.outMs.set(id, (this.outMs.get(id) ?? 0) + now - this.#checkedAt);
    }
    this.#checkedAt = now;
    this.fewestServing = Math.min(this.fewestServing, up.length);
  }

  #ask(command: string): Promise<string> {
    const answer = this.#last.then(() => this.#exchange(command));
    this.#last = answer.catch(() => {});
    return answer;
  }

  #exchange(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#socket);
      let answer = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      socket.setTimeout(5_000, () => socket.destroy(new Error('HAProxy does not answer')));
      socket.on('error', reject);
      socket.on('close', () => resolve(answer));
      socket.write(`${command}\n`);
    });
  }
}

function serverName(id: number): string {
  return `droplet-${id}`;
}

/** By default, DigitalOcean does not keep connections to droplets alive. */
const NOT_KEPT = 'option http-server-close';

const KEPT = `option http-keep-alive
  http-reuse always
  # Idle connections stay as long as the droplet keeps them.
  default-server pool-purge-delay 600s`;

function configuration(socket: string, record: BalancerRecord, droplets: readonly DropletRecord[]): string {
  const { intervalSeconds, timeoutSeconds, healthyThreshold, unhealthyThreshold, port, path } = record.healthCheck;
  const check = `check port ${port} inter ${intervalSeconds * 1_000}ms rise ${healthyThreshold} fall ${unhealthyThreshold}`;
  return `global
  stats socket ${socket} mode 600 level admin
defaults
  mode http
  retries 0
  no option redispatch
  ${record.backendKeepalive ? KEPT : NOT_KEPT}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout check ${timeoutSeconds}s
frontend web
  bind 127.0.0.1:${PORT}
  default_backend droplets
frontend state
  bind 127.0.0.1:${STATE_PORT}
  stats enable
  stats uri /
backend droplets
  balance roundrobin
  option httpchk GET ${path}
  http-check expect rstatus ^2
${droplets.map((droplet) => `  server ${serverName(droplet.id)} ${droplet.privateAddress}:80 ${check}`).join('\n')}
`;
}
