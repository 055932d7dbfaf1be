/**
 * Reads on the droplet how many connections have arrived on the balancer's target ports, and how many are open.
 * DigitalOcean reports neither.
 *
 * Docker publishes ports by DNAT, so the droplet's own `ss` shows none of them. Both sources below were tried on
 * Docker 20.10 to 28:
 *  - The packet counters of the nat table's DOCKER chain count one packet per new connection (root only). do-deploy's
 *    own checks pass the same rules.
 *  - /proc/PID/net/tcp and tcp6 of the container list its connections, including those of the last 60 s (TIME_WAIT).
 * Healthchecks from inside the container come from loopback and are left out.
 */

import type { RemoteCommand } from '../../ports.js';
import type { ContainerView } from '../../rollout/health.js';
import { command, quote } from '../core/shell.js';

/** What is run as root, if that is allowed. `bootstrap` allows exactly this. Docker locks a chain while it changes it: -w waits. */
export const PORT_COUNTERS = 'iptables -w 2 -t nat -L DOCKER -vnx';

/** A published port of a running container. */
export interface WatchedPort {
  host: number;
  container: number;
  pid: number;
  /** The container's port is also published on a host port that is not watched: its peers may have come that way. */
  otherWays?: boolean;
}

export interface TrafficReading {
  /** On all watched ports; undefined when the counters cannot be read. */
  all?: Counted;
  /** On the port of the balancer's health check; undefined when that port has no counter. */
  checks?: Counted;
  /** Connections open now; undefined when they cannot be read. */
  open?: number;
}

export interface Counted {
  /** Connections since Docker made the rules. */
  count: number;
  /** Peers with a public address, open or recently closed. Not the balancer where it connects over the VPC. */
  strangers: ReadonlySet<string>;
}

/** The published ports through which the balancer reaches the droplet. */
export function watchedPorts(containers: readonly ContainerView[], balancerPorts: readonly number[]): WatchedPort[] {
  const ports: WatchedPort[] = [];
  for (const container of containers) {
    if (container.state !== 'running' || container.pid <= 0) continue;
    if (container.hostNetwork) {
      ports.push(...balancerPorts.map((port) => ({ host: port, container: port, pid: container.pid })));
    }
    for (const { host, container: inside } of container.ports) {
      if (!balancerPorts.includes(host)) continue;
      const otherWays = container.ports.some((port) => port.container === inside && !balancerPorts.includes(port.host));
      ports.push({ host, container: inside, pid: container.pid, ...(otherWays && { otherWays }) });
    }
  }
  return ports;
}

/** @param overVpc the balancer connects from private addresses, so a peer with a public one is a stranger */
export function trafficCommand(ports: readonly WatchedPort[], overVpc: boolean): RemoteCommand {
  const pids = [...new Set(ports.map((port) => port.pid))].filter((pid) => pid > 0);
  return command(
    'traffic',
    { ports },
    [
      'if [ "$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi',
      'PATH=$PATH:/usr/sbin:/sbin',
      `$as_root ${PORT_COUNTERS} 2>/dev/null | sed -n "s/^ *\\([0-9][0-9]*\\) .* DNAT .*dpt:\\([0-9]*\\) .*$/rule \\2 \\1/p"`,
      ...pids.map(
        (pid) =>
          `cat /proc/${pid}/net/tcp /proc/${pid}/net/tcp6 2>/dev/null | awk ${quote(socketsProgram(pid, ports, overVpc))} || :`,
      ),
      'exit 0',
    ],
    { timeoutMs: 15_000, reads: true },
  );
}

/**
 * Prints `stranger PORT PEER` for peers with a public IPv4 address, and `open COUNT` of the others' established
 * connections. Fields (kernel's Documentation/networking/proc_net_tcp): local address, remote address, state (01
 * established, 0A listening), all hexadecimal. An address is printed as the number that its bytes are in memory, so on
 * little-endian droplets its last byte comes first: 0100007F is 127.0.0.1. tcp6 shows IPv4 behind zeros and FFFF0000.
 */
function socketsProgram(pid: number, ports: readonly WatchedPort[], overVpc: boolean): string {
  const wanted = ports.filter((port) => port.pid === pid).map((port) => hexPort(port.container));
  const condition = [...new Set(wanted)].map((hex) => `port == "${hex}"`).join(' || ');
  const isPublic = overVpc ? `length(a) == 8 && a !~ /(0A|7F|A8C0|1[0-9A-F]AC|[4-7][0-9A-F]64|FEA9)$/` : '0';
  return [
    '{ split($2, at, ":"); port = at[2] }',
    `$4 != "0A" && (${condition}) {`,
    'split($3, peer, ":"); a = peer[1]; sub(/^0000000000000000FFFF0000/, "", a)',
    'if (a == "0100007F" || a == "00000000000000000000000001000000") next',
    `if (${isPublic}) print "stranger", port, $3`,
    'else if ($4 == "01") n++ }',
    'END { if (NR > 0) print "open", n + 0 }',
  ].join('\n');
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** @param checkPort of the balancer's health check */
export function parseTraffic(stdout: string, ports: readonly WatchedPort[], checkPort: number): TrafficReading {
  const lines = stdout.split('\n').map((line) => line.trim().split(' '));
  const open = lines.flatMap(([kind, count]) => (kind === 'open' ? readCount(count) : []));
  return {
    all: countedOn(ports, lines),
    checks: countedOn(
      ports.filter(({ host }) => host === checkPort),
      lines,
    ),
    open: open.length === 0 ? undefined : sumOf(open),
  };
}

function countedOn(ports: readonly WatchedPort[], lines: readonly string[][]): Counted | undefined {
  const rules = lines.filter(([kind, port]) => kind === 'rule' && ports.some(({ host }) => host === Number(port)));
  if (rules.length === 0) return undefined;
  const inside = new Set(ports.filter(({ otherWays }) => !otherWays).map(({ container }) => hexPort(container)));
  const strangers = lines.filter(([kind, port = '']) => kind === 'stranger' && inside.has(port));
  const count = sumOf(rules.map(([, , number]) => readCount(number)));
  if (count === undefined) return undefined;
  return {
    count,
    strangers: new Set(strangers.map((line) => line.join(' '))),
  };
}

/** NaN for what is no whole number: it must not pass for "nothing arrived". */
function readCount(text = ''): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}

function sumOf(counts: readonly number[]): number | undefined {
  const sum = counts.reduce((total, count) => total + count, 0);
  return Number.isSafeInteger(sum) ? sum : undefined;
}
