/** Problems that are planted into a region and a project, and what doctor must find of each. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { SandboxFleet } from './sandbox-fleet.js';

// biome-ignore lint/suspicious/noExplicitAny: answers of the API, which are changed at will
type Json = any;

/** `NAME`, `NAME @PLACE`, `NAME web-1,web-2`, or both. */
export type Expected = string;

export interface Problem {
  what: string;
  plant(bench: Bench): unknown;
  finds: readonly Expected[];
}

const ALL = 'web-1,web-2,web-3';

/** A fleet that problems are planted into, and that is as it was afterwards. */
export class Bench {
  readonly fleet: SandboxFleet;
  readonly #kept: string;
  readonly #undo: (() => unknown)[] = [];

  constructor(fleet: SandboxFleet, keep: string) {
    this.fleet = fleet;
    this.#kept = keep;
    cpSync(fleet.folder, join(keep, 'project'), KEEPING);
    for (const { name, home } of this.droplets) cpSync(home, join(keep, name), KEEPING);
  }

  get droplets() {
    return ['web-1', 'web-2', 'web-3'].map((name) => this.fleet.region.droplet(name));
  }

  later(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  /** Only what a problem may have changed. */
  async restore(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
    const { region, folder } = this.fleet;
    region.faults.remove();
    for (const { name, home, clearFaults } of this.droplets) {
      await clearFaults.call(region.droplet(name));
      for (const entry of readdirSync(home)) rmSync(join(home, entry), { recursive: true, force: true });
      cpSync(join(this.#kept, name), home, KEEPING);
    }
    for (const entry of readdirSync(folder)) rmSync(join(folder, entry), { recursive: true, force: true });
    cpSync(join(this.#kept, 'project'), folder, KEEPING);
  }

  // --- the API ---

  async get(path: string): Promise<Json> {
    const { url, token } = this.fleet.region.api;
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    return await answer.json();
  }

  answer(path: string, body: Json, status = 200): void {
    this.fleet.region.faults.add({ on: { method: 'GET', path: `${path}$` }, do: { status, body } });
  }

  /** The API shows another balancer than there is. */
  async balancer(change: (balancer: Json) => void): Promise<void> {
    const list = await this.get('/load_balancers');
    const [balancer] = list.load_balancers;
    change(balancer);
    this.answer('/load_balancers', list);
    this.answer('/load_balancers/[^/]+', { load_balancer: balancer });
  }

  async droplet(name: string, change: (droplet: Json) => void): Promise<void> {
    const list = await this.get('/droplets?per_page=200');
    change(list.droplets.find((one: Json) => one.name === name));
    this.answer('/droplets', list);
  }

  firewall(ports: string, sources: object): void {
    const droplet_ids = this.droplets.map(({ id }) => id);
    const inbound_rules = [{ protocol: 'tcp', ports, sources }];
    const firewall = { id: 'f0000000-0000-4000-8000-000000000001', name: 'web', tags: [], droplet_ids, inbound_rules };
    this.answer('/firewalls', { firewalls: [{ ...firewall, outbound_rules: [] }], links: {}, meta: { total: 1 } });
  }

  lacks(path: string): void {
    this.answer(path, { id: 'forbidden', message: 'You are not authorized to perform this operation' }, 403);
  }

  // --- the project ---

  write(path: string, text: string, mode = 0o644): void {
    const file = join(this.fleet.folder, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
  }

  edit(path: string, change: (text: string) => string): void {
    const file = join(this.fleet.folder, path);
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  }

  /** Of `config/deploy.yml`. */
  settings(change: (settings: Json) => void): void {
    this.edit('config/deploy.yml', (text) => {
      const settings = parse(text);
      change(settings);
      return stringify(settings);
    });
  }

  /** Of the compose file of the environment. */
  compose(services: object): void {
    this.edit('compose/docker-compose.sandbox.yml', (text) => {
      const project = parse(text);
      for (const [name, more] of Object.entries(services)) {
        project.services[name] = { ...project.services[name], ...more };
      }
      return stringify(project);
    });
  }

  git(...args: string[]): void {
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: this.fleet.folder });
  }

  // --- droplets ---

  /** A program of the droplet says something else: lines of sh, after which it is as usual. */
  program(name: string, lines: string, droplets = this.droplets): void {
    for (const { folder } of droplets) {
      const file = join(folder, 'bin', name);
      const real = join(folder, 'bin/real', name);
      if (existsSync(file)) {
        mkdirSync(join(folder, 'bin/real'), { recursive: true });
        cpSync(file, real);
      }
      const usual = existsSync(real) ? `exec ${real} "$@"` : `PATH=/usr/bin:/bin:/usr/sbin:/sbin exec ${name} "$@"`;
      writeFileSync(file, `#!/bin/sh\n${lines}\n${usual}\n`, { mode: 0o755 });
      this.later(() => (existsSync(real) ? cpSync(real, file) : rmSync(file)));
    }
  }

  dockerSays(args: string, text: string, droplets = this.droplets): void {
    this.program('docker', `case "$*" in "${args}"*) printf '%s\\n' '${text}'; exit 0 ;; esac`, droplets);
  }

  /** What compose's answer has besides: the stand-in does not know every key. */
  patchConfig(services: object, top: object = {}): void {
    const script = join(this.#kept, 'patch.mjs');
    writeFileSync(
      script,
      `let text = '';
      for await (const piece of process.stdin) text += piece;
      const project = JSON.parse(text);
      for (const [name, more] of Object.entries(${JSON.stringify(services)})) Object.assign(project.services[name], more);
      console.log(JSON.stringify({ ...project, ...${JSON.stringify(top)} }));`,
    );
    for (const { folder } of this.droplets) {
      const real = join(folder, 'bin/real/docker');
      this.program(
        'docker',
        `case "$*" in *' config --format json') ${real} "$@" | ${process.execPath} ${script}; exit 0 ;; esac`,
        this.droplets.filter((one) => one.folder === folder),
      );
    }
  }

  home(name: string, ...path: string[]): string {
    return join(this.fleet.region.droplet(name).home, 'do-deploy/shop', ...path);
  }

  json(file: string, change: (value: Json) => Json): void {
    const value = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, `${JSON.stringify(change(value) ?? value)}\n`);
  }
}

const KEEPING = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const;

const YML = 'compose/docker-compose.sandbox.yml';

export const PROBLEMS: readonly Problem[] = [
  // --- token ---
  {
    what: 'a token that is refused',
    plant: (b) => b.answer('.*', { id: 'unauthorized', message: 'no' }, 401),
    finds: ['cloud-unauthorized'],
  },
  { what: 'a token without vpc:read', plant: (b) => b.lacks('/vpcs'), finds: ['scope-missing'] },
  { what: 'a token without regions:read', plant: (b) => b.lacks('/regions'), finds: ['scope-missing'] },
  { what: 'a token without load_balancer:read', plant: (b) => b.lacks('/load_balancers'), finds: ['scope-missing'] },
  { what: 'a token without tag:read', plant: (b) => b.lacks('/tags'), finds: ['scope-missing'] },

  // --- balancer ---
  {
    what: 'no such balancer',
    plant: (b) =>
      b.settings((s) => {
        s.environments.sandbox.load_balancer = 'other';
      }),
    finds: ['balancer-not-found'],
  },
  {
    what: 'a balancer that is being made',
    plant: (b) =>
      b.balancer((lb) => {
        lb.status = 'new';
      }),
    finds: ['balancer-not-active'],
  },
  {
    what: 'a balancer with an error',
    plant: (b) =>
      b.balancer((lb) => {
        lb.status = 'errored';
      }),
    finds: ['balancer-not-active'],
  },
  {
    what: 'a global balancer',
    plant: (b) =>
      b.balancer((lb) => {
        lb.type = 'GLOBAL';
      }),
    finds: ['balancer-global'],
  },
  {
    what: 'a pool with a balancer by ids',
    plant: (b) => {
      b.settings((s) => {
        s.environments.sandbox.autoscale_pool = 'web-pool';
      });
      const { pools } = b.fleet.region.world;
      pools.push({ id: 'a0000000-0000-4000-8000-000000000001', name: 'web-pool', createdAt: Date.now() });
      b.later(() => pools.splice(0));
    },
    finds: ['pool-by-id'],
  },
  {
    what: 'the PROXY protocol, which nothing reads',
    plant: (b) =>
      b.balancer((lb) => {
        lb.enable_proxy_protocol = true;
      }),
    finds: [`check-fails ${ALL}`, 'proxy-protocol-unread'],
  },
  {
    what: 'a server that expects the PROXY protocol',
    plant: (b) => b.edit('config/nginx/nginx.conf', (text) => text.replace('listen 80;', 'listen 80 proxy_protocol;')),
    finds: ['proxy-protocol-unsent @config/nginx/nginx.conf:9'],
  },
  {
    what: 'sticky sessions',
    plant: (b) =>
      b.balancer((lb) => {
        lb.sticky_sessions = { type: 'cookies' };
      }),
    finds: ['sticky-sessions'],
  },
  {
    what: 'backend keepalive',
    plant: (b) =>
      b.balancer((lb) => {
        lb.enable_backend_keepalive = true;
      }),
    finds: ['backend-keepalive'],
  },
  {
    what: 'the usual interval of checks',
    plant: (b) =>
      b.balancer((lb) => Object.assign(lb.health_check, { check_interval_seconds: 10, healthy_threshold: 3 })),
    finds: ['check-interval'],
  },
  {
    what: 'a rule to another port',
    plant: (b) =>
      b.balancer((lb) => {
        lb.forwarding_rules[0].target_port = 8099;
      }),
    finds: ['target-port-unpublished'],
  },
  {
    what: 'a port on the loopback address only',
    plant: (b) =>
      b.patchConfig({ nginx: { ports: [{ target: 80, published: '80', host_ip: '127.0.0.1', protocol: 'tcp' }] } }),
    finds: ['target-port-loopback @compose/docker-compose.yml:32'],
  },
  {
    what: 'a droplet in another region',
    plant: (b) =>
      b.droplet('web-2', (one) => {
        one.region = { slug: 'ams3' };
      }),
    finds: ['other-region web-2'],
  },
  {
    what: 'a droplet in another VPC',
    plant: (b) =>
      b.droplet('web-3', (one) => {
        one.vpc_uuid = 'elsewhere';
      }),
    finds: ['other-vpc web-3'],
  },
  {
    what: 'a firewall without the balancer',
    plant: (b) => b.firewall('22', { addresses: ['0.0.0.0/0'] }),
    finds: [`firewall-balancer ${ALL}`],
  },
  {
    what: 'a firewall without SSH',
    plant: async (b) => {
      b.firewall('80', { addresses: ['0.0.0.0/0'] });
      await b.fleet.region.droplet('web-2').setFaults({ ssh: 'refuse' });
    },
    finds: ['firewall-ssh web-2', 'ssh-unreachable web-2'],
  },
  {
    what: 'a health check of no path',
    plant: (b) =>
      b.balancer((lb) => {
        lb.health_check.path = '/nowhere';
      }),
    finds: [`check-path-missing ${ALL}`],
  },

  // --- droplets ---
  {
    what: 'a droplet that is off',
    plant: (b) =>
      b.droplet('web-2', (one) => {
        one.status = 'off';
      }),
    finds: ['not-running web-2'],
  },
  {
    what: 'another host key',
    plant: (b) => b.fleet.region.droplet('web-1').setFaults({ hostKeyChanged: true }),
    finds: ['ssh-host-key web-1'],
  },
  {
    what: 'an SSH key that is refused',
    plant: (b) => b.fleet.region.droplet('web-1').setFaults({ authRefused: true }),
    finds: ['ssh-auth web-1'],
  },
  {
    what: 'a Docker that is down',
    plant: (b) => b.fleet.region.droplet('web-2').setFaults({ daemonDown: true }),
    finds: ['docker-missing web-2'],
  },
  {
    what: 'an old compose',
    plant: (b) => b.dockerSays('compose version --short', '1.29.2', b.droplets.slice(2)),
    finds: ['compose-missing web-3'],
  },
  {
    what: 'a full disk',
    plant: (b) => b.fleet.region.droplet('web-2').setFaults({ diskFreeMb: 100 }),
    finds: ['disk-full web-2'],
  },
  {
    what: 'an almost full disk',
    plant: (b) => b.fleet.region.droplet('web-2').setFaults({ diskFreeMb: 800 }),
    finds: ['disk-low web-2'],
  },
  {
    what: 'a clock that is an hour ahead',
    plant: (b) =>
      b.program(
        'date',
        'if [ "$1" = +%s ]; then echo $(($(/bin/date +%s) + 3600)); exit 0; fi',
        b.droplets.slice(1, 2),
      ),
    finds: ['clock web-2'],
  },
  {
    what: 'no memory',
    plant: (b) => {
      const lines = 'MemTotal: 1000000 kB\\nMemAvailable:   40000 kB\\nSwapFree: 0 kB\\n';
      b.program('cat', `if [ "$1" = /proc/meminfo ]; then printf '${lines}'; exit 0; fi`, b.droplets.slice(0, 1));
    },
    finds: ['memory-low web-1'],
  },
  {
    what: 'counters that may not be read',
    plant: (b) => b.program('iptables', 'exit 1'),
    finds: [`connections-uncounted ${ALL}`],
  },
  {
    what: 'an ARM processor, for which the image is not built',
    plant: (b) => b.program('uname', 'if [ "$1" = -m ]; then echo aarch64; exit 0; fi', b.droplets.slice(1, 2)),
    finds: ['image-platform web-2', 'other-processor web-2'],
  },
  {
    what: 'another image store',
    plant: (b) => {
      const containerd = '/var/lib/docker\\noverlayfs\\nx86_64\\n[[driver-type io.containerd.snapshotter.v1]]\\n';
      b.program(
        'docker',
        `case "$*" in "info --format {{println"*) printf '${containerd}'; exit 0 ;; esac`,
        b.droplets.slice(0, 1),
      );
    },
    finds: ['store-differs web-1'],
  },
  {
    what: 'another Docker',
    plant: (b) => b.dockerSays('version --format', '26.1.0', b.droplets.slice(0, 1)),
    finds: ['docker-differs web-1'],
  },
  { what: 'an old Docker', plant: (b) => b.dockerSays('version --format', '19.03.15'), finds: [`docker-old ${ALL}`] },
  {
    what: 'another compose',
    plant: (b) => b.dockerSays('compose version --short', '2.40.0', b.droplets.slice(0, 1)),
    finds: ['compose-differs web-1'],
  },

  {
    what: 'a file of shared: that is not there',
    plant: (b) =>
      b.settings((s) => {
        s.shared = ['secrets/htpasswd'];
      }),
    finds: [`shared-file-missing ${ALL}`],
  },

  // --- compose ---
  {
    what: 'compose files that are not valid',
    plant: (b) => b.edit(YML, (text) => `${text}  other: { depends_on: [nobody] }\n`),
    finds: [`compose-config ${ALL}`],
  },
  {
    what: 'a service without a healthcheck',
    plant: (b) => b.compose({ worker: { image: 'docker.io/example/shop:v1', restart: 'always' } }),
    finds: [`healthcheck-missing @${YML}:11`],
  },
  {
    what: 'a service without a restart policy',
    plant: (b) => b.edit('compose/docker-compose.yml', (text) => text.replace('    restart: unless-stopped\n', '')),
    finds: [`restart-missing @${YML}:3`],
  },
  {
    what: 'a late healthcheck',
    plant: (b) => b.compose({ app: { healthcheck: { interval: '20s', start_period: '1s' } } }),
    finds: [`healthcheck-slow @${YML}:4`],
  },
  {
    what: 'an impatient healthcheck',
    plant: (b) => b.compose({ app: { healthcheck: { interval: '1s', retries: 3, start_period: '0s' } } }),
    finds: [`healthcheck-impatient @${YML}:4`],
  },
  {
    what: 'the socket of a Docker that refuses old clients',
    plant: (b) => {
      b.compose({ app: { volumes: ['/var/run/docker.sock:/var/run/docker.sock'] } });
      b.dockerSays('version --format', '29.0.1');
    },
    finds: [`docker-socket @${YML}:3 ${ALL}`],
  },
  {
    what: 'start_interval on a Docker that has none',
    plant: (b) =>
      b.patchConfig({
        app: { healthcheck: { test: ['CMD', 'true'], interval: '2s', retries: 9, start_interval: '1s' } },
      }),
    finds: [`compose-start-interval ${ALL}`],
  },
  {
    what: 'data in the folder of the release',
    plant: (b) => b.compose({ app: { volumes: ['./data:/data'] } }),
    finds: [`compose-writable-bind ${ALL}`],
  },
  {
    what: 'a mount of a file that is not sent',
    plant: (b) => b.compose({ app: { volumes: ['../config/none.conf:/x:ro'] } }),
    finds: [`compose-file-missing ${ALL}`],
  },
  {
    what: 'a path that droplets lack',
    plant: (b) => b.patchConfig({}, { secrets: { db: { name: 'db', file: '/etc/none/db' } } }),
    finds: [`compose-path-missing ${ALL}`],
  },
  {
    what: 'one name for two containers',
    plant: (b) => b.patchConfig({ app: { container_name: 'shop', scale: 2 } }),
    finds: [`container-name-replicas ${ALL}`],
  },
  {
    what: 'one port for two services',
    plant: (b) => b.compose({ app: { ports: ['80:3000'] } }),
    finds: [`compose-port-clash ${ALL}`],
  },
  {
    what: 'a variable that nobody sets',
    plant: (b) => b.compose({ app: { environment: { A: `x\${NOT_SET}` } } }),
    finds: ['compose-doubt'],
  },

  // --- env files and configuration ---
  {
    what: 'an unknown key',
    plant: (b) =>
      b.settings((s) => {
        s.bach = 2;
      }),
    finds: ['configuration @config/deploy.yml:24'],
  },
  {
    what: 'an env file that is missing',
    plant: (b) => rmSync(join(b.fleet.folder, 'config/.env.sandbox')),
    finds: ['file-missing @config/deploy.yml:13'],
  },
  {
    what: 'an env file that is encrypted',
    plant: (b) => b.write('config/.env.sandbox', 'A=x\nsops_version=3.9.0\n', 0o600),
    finds: ['file-encrypted @config/deploy.yml:13'],
  },
  {
    what: 'a variable that is missing',
    plant: (b) =>
      b.settings((s) => {
        s.env = { DATABASE_URL: { type: 'url', required: true } };
      }),
    finds: ['variable-missing @config/deploy.yml:25'],
  },
  {
    what: 'a variable that is blank',
    plant: (b) => {
      b.settings((s) => {
        s.env = { DATABASE_URL: { type: 'url', required: true } };
      });
      b.write('config/.env.sandbox', 'SECRET_KEY=not-a-secret-in-the-sandbox\nDATABASE_URL=\n', 0o600);
    },
    finds: ['variable-blank @config/.env.sandbox:2'],
  },
  {
    what: 'a dollar sign that compose eats',
    plant: (b) => b.write('config/.env.sandbox', 'SECRET_KEY=ab$cdefgh\n', 0o600),
    finds: ['env-file-dollar @config/.env.sandbox:1', 'compose-doubt'],
  },
  {
    what: 'an env file that all can read',
    plant: (b) => chmodSync(join(b.fleet.folder, 'config/.env.sandbox'), 0o644),
    finds: ['env-file-open @config/.env.sandbox'],
  },
  {
    what: 'an env file that git tracks',
    plant: (b) => {
      b.write('.gitignore', 'config/.env\n');
      b.git('init', '--quiet');
      b.git('add', '--all');
    },
    finds: ['env-file-tracked @config/.env.sandbox'],
  },
  {
    what: 'an env file that git does not ignore',
    plant: (b) => {
      b.write('.gitignore', 'config/.env.*\n');
      b.git('init', '--quiet');
    },
    finds: ['env-file-unignored @config/.env'],
  },

  // --- registry ---
  {
    what: 'an image that was never pushed',
    plant: (b) =>
      b.settings((s) => {
        s.image_tag = 'v77';
      }),
    finds: [`image-unavailable ${ALL}`],
  },
  {
    what: 'a password that the registry refuses',
    plant: (b) => b.edit('config/.env', (text) => text.replace('5ecre7pass', '5ecre7wrong')),
    finds: [`registry-login ${ALL}`],
  },

  // --- leftovers ---
  {
    what: 'another run that holds the lock',
    plant: async (b) => {
      const lock = join(b.fleet.region.droplet('web-1').folder, 'run/locks/app-shop.lock');
      const child = spawn('flock', [lock, 'sh', '-c', 'echo held; exec sleep 600'], {
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      b.later(() => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL'));
    },
    finds: ['lease-held'],
  },
  {
    what: 'a record of a droplet that serves',
    plant: (b) => recordAsOut(b, 'web-2'),
    finds: ['recorded-as-out web-2'],
  },
  {
    what: 'a droplet that is out of rotation',
    plant: async (b) => {
      const { world, balancerId } = b.fleet.region;
      const { id } = b.fleet.region.droplet('web-3');
      recordAsOut(b, 'web-3');
      world.removeFromBalancer(balancerId, [id]);
      b.later(() => world.addToBalancer(balancerId, [id]));
    },
    finds: ['out-of-rotation web-3'],
  },
  {
    what: 'a switch that was never finished',
    plant: (b) => b.json(b.home('web-2', 'state.json'), (state) => ({ ...state, phase: 'switching' })),
    finds: ['half-done web-2'],
  },
  {
    what: 'a file that was edited on a droplet',
    plant: (b) => writeFileSync(b.home('web-2', 'current/config/nginx/nginx.conf'), '# edited\n'),
    finds: ['file-changed web-2'],
  },
  {
    what: 'a file that is gone from a droplet',
    plant: (b) => rmSync(b.home('web-2', 'current/config/.env.common')),
    finds: ['file-gone web-2'],
  },
  {
    what: 'a release that was never staged completely',
    plant: (b) => {
      const folder = b.home('web-1', 'releases/20260101T000000Z-v0.partial');
      mkdirSync(folder);
      utimesSync(folder, new Date(0), new Date(0));
    },
    finds: ['staging-leftover web-1'],
  },
  {
    what: 'a release that failed',
    plant: (b) => {
      const [id = ''] = readdirSync(b.home('web-1', 'releases'));
      const copy = b.home('web-1', 'releases/20260101T000000Z-v0');
      cpSync(b.home('web-1', 'releases', id), copy, KEEPING);
      b.json(join(copy, 'release.json'), (release) => ({ ...release, id: '20260101T000000Z-v0' }));
    },
    finds: ['release-unproven web-1'],
  },
  {
    what: 'a droplet of another environment',
    plant: (b) => {
      const [id = ''] = readdirSync(b.home('web-1', 'releases'));
      b.json(b.home('web-1', 'releases', id, 'release.json'), (release) => ({ ...release, environment: 'other' }));
    },
    finds: ['environment-collision web-1'],
  },
];

export function recordAsOut(bench: Bench, name: string): void {
  const { world } = bench.fleet.region;
  const { id } = bench.fleet.region.droplet(name);
  const tag = 'do-deploy:out:shop:sandbox';
  world.createTag(tag);
  world.tagDroplets(tag, [id]);
  bench.later(() => world.untagDroplets(tag, [id]));
}
