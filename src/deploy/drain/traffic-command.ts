/**
 * The instruments at a droplet's own door: how many connections came in on the balancer's target ports, and how many
 * are open. Read on the droplet, because DigitalOcean tells neither.
 *
 * Docker publishes ports by DNAT, so the droplet's own `ss` shows nothing of them. Two instruments, both tried on
 * Docker 20.10 to 28:
 *  - the packet counters of the nat table's DOCKER chain: one packet a new connection from outside (root only);
 *  - /proc/PID/net/tcp and tcp6 of the container: what is connected now, and for 60 s what was (TIME_WAIT).
 * In-container healthchecks come from loopback and are left out.
 */
import type { RemoteCommand } from '../../ports.js';
import { command, quote } from '../core/shell.js';
/** A published port of a running container. */
export interface WatchedPort {
  host: number;
  container: number;
  pid: number;
}

export interface TrafficReading {
  /** Connections since the rule was made, over all ports; absent when the counters cannot be read. */
  counted?: number;
  /** Peers seen on the ports, open or lately closed: `port address:port`, in the kernel's hexadecimal. */
  peers: Set<string>;
  /** Connections open now; absent when they cannot be read. */
  established?: number;
  /** Of the peers, those with a public address: not the balancer where it comes over the VPC. */
  strangers: Set<string>;
}

export function trafficCommand(ports: readonly WatchedPort[]): RemoteCommand {
  const pids = [...new Set(ports.map((port) => port.pid))].filter((pid) => pid > 0);
  return command(
    'traffic',
    { ports },
    [
      'if [ "$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi',
      // A chain that is read while Docker changes it is locked for a moment: -w waits for it.
      'PATH=$PATH:/usr/sbin:/sbin',
      '$as_root iptables -w 2 -t nat -L DOCKER -vnx 2>/dev/null | sed -n "s/^ *\\([0-9][0-9]*\\) .* DNAT .*dpt:\\([0-9]*\\) .*$/rule \\2 \\1/p"',
      ...pids.map(
        (pid) =>
          `cat /proc/${pid}/net/tcp /proc/${pid}/net/tcp6 2>/dev/null | awk ${quote(socketsProgram(pid, ports))} || :`,
      ),
      'exit 0',
    ],
    { timeoutMs: 15_000 },
  );
}

/**
 * Prints `socket PORT PEER STATE` for the container's ports, and `readable`. Fields: kernel's Documentation/networking/
 * proc_net_tcp: local address, remote address, state (01 established, 06 TIME_WAIT, 0A listening), all hexadecimal;
 * 0100007F is 127.0.0.1, in tcp6 behind zeros or FFFF0000 (mapped).
 */
function socketsProgram(pid: number, ports: readonly WatchedPort[]): string {
  const wanted = ports.filter((port) => port.pid === pid).map((port) => hexPort(port.container));
  const condition = [...new Set(wanted)].map((hex) => `port == "${hex}"`).join(' || ');
  return [
    'NR == 1 { print "readable" }',
    '{ n = split($2, at, ":"); port = at[n] }',
    `$4 != "0A" && (${condition}) && $3 !~ /^(0100007F|0000000000000000FFFF00000100007F|00000000000000000000000001000000):/ { print "socket", port, $3, $4 }`,
  ].join(' ');
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** @param overVpc the balancer comes over the VPC, so whoever has a public address is a stranger, and not drained */
export function parseTraffic(stdout: string, ports: readonly WatchedPort[], overVpc: boolean): TrafficReading {
  const reading: TrafficReading = { peers: new Set(), strangers: new Set() };
  const hostPorts = new Set(ports.map((port) => port.host));
  for (const line of stdout.split('\n')) {
    const [kind, port, value, state] = line.trim().split(' ');
    if (kind === 'readable') reading.established ??= 0;
    if (kind === 'rule' && hostPorts.has(Number(port))) reading.counted = (reading.counted ?? 0) + Number(value);
    if (kind === 'socket' && value !== undefined) {
      const stranger = overVpc && isPublic(value);
      (stranger ? reading.strangers : reading.peers).add(`${port} ${value}`);
      if (!stranger && state === '01') reading.established = (reading.established ?? 0) + 1;
    }
  }
  return reading;
}

/**
 * Whether a peer (`0101600A:C350`, tcp6 with 32 digits) has a public IPv4 address. The kernel prints an address as the
 * number that its bytes are in memory, so on every DigitalOcean droplet (little-endian) the last byte comes first.
 */
function isPublic(peer: string): boolean {
  const hex = peer.slice(0, peer.indexOf(':'));
  const mapped = hex.length === 32 && hex.slice(16, 24) === 'FFFF0000';
  if (hex.length !== 8 && !mapped) return false;
  const a = Number.parseInt(hex.slice(-2), 16);
  const b = Number.parseInt(hex.slice(-4, -2), 16);
  const local = a === 10 || a === 127 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168);
  const shared = (a === 100 && b >= 64 && b < 128) || (a === 169 && b === 254);
  return !local && !shared;
}
