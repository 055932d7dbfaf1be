/**
 * Which of a container's open connections carry something. A balancer that keeps its connections holds idle ones long
 * after it has let go of a droplet.
 *
 * `ss -tin` in the container's network namespace shows per connection the queues, what is unacknowledged, and how long ago
 * data was last sent and received. The kernel takes these times in ticks of 1 to 10 ms.
 */
import type { RemoteCommand } from '../../ports.js';
import { command, quote } from '../core/shell.js';
import type { WatchedPort } from './traffic-command.js';

export interface OpenConnection {
  /** Bytes that wait to be read, sent or acknowledged. */
  pending: number;
  /** Bytes since the connection was made. */
  sent: number;
  received: number;
  /** Ages in ms: of the last data sent and received, and of the last acknowledgement. */
  lastSent: number;
  lastReceived: number;
  lastAck: number;
}

const FIELDS = ['unacked', 'bytes_sent', 'bytes_received', 'lastsnd', 'lastrcv', 'lastack'];

/** What is run as root in the network of a container, before the filter. `bootstrap` allows exactly this. */
export const OPEN_SOCKETS = 'ss -tinH state established';

export function openConnectionsCommand(ports: readonly WatchedPort[]): RemoteCommand {
  const pids = [...new Set(ports.map((port) => port.pid))].filter((pid) => pid > 0);
  return command(
    'open-connections',
    { ports },
    [
      'if [ "$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi',
      'PATH=$PATH:/usr/sbin:/sbin',
      ...pids.flatMap((pid) => {
        const own = ports.filter((port) => port.pid === pid).map((port) => `sport = :${port.container}`);
        const filter = `( ${[...new Set(own)].join(' or ')} )`;
        return [
          `found=$($as_root nsenter -t ${pid} -n ${OPEN_SOCKETS} ${quote(filter)} 2>/dev/null) || exit 0`,
          `printf '%s\\n' "$found" | awk ${quote(PROGRAM)}`,
        ];
      }),
      'echo readable',
    ],
    { timeoutMs: 15_000, reads: true },
  );
}

/** Prints `connection PEER QUEUES UNACKED SENT RECEIVED LASTSND LASTRCV LASTACK`; ss shows no field that is 0. */
const PROGRAM = [
  'function value(name) { if (!match(info, "[ \\t]" name ":[0-9]+")) return 0',
  'return substr(info, RSTART + length(name) + 2, RLENGTH - length(name) - 2) }',
  'function show() { if (peer != "" && peer !~ /^\\[?(::ffff:)?127\\.|^\\[::1\\]/)',
  `print "connection", peer, queues, ${FIELDS.map((name) => `value("${name}")`).join(', ')} }`,
  '/^[^ \\t]/ { show(); queues = $1 + $2; peer = $4; info = " "; next }',
  '{ info = info " " $0 }',
  'END { show() }',
].join('\n');

/**
 * Undefined when they could not be read: without ss or nsenter, or without the right to use them.
 * @param overVpc the balancer connects from private addresses: others are left out
 */
export function parseOpenConnections(stdout: string, overVpc: boolean): OpenConnection[] | undefined {
  const lines = stdout.split('\n').map((line) => line.trim().split(' '));
  if (!lines.some(([kind]) => kind === 'readable')) return undefined;
  const own = lines.filter(([kind, peer = '']) => kind === 'connection' && !(overVpc && isPublic(peer)));
  // A number that cannot be read must not pass for an idle connection.
  if (own.some((line) => line.slice(2).some((field) => !/^\d{1,20}$/.test(field)))) return undefined;
  return own.map((line) => {
    const [queues = 0, unacked = 0, sent = 0, received = 0, lastSent = 0, lastReceived = 0, lastAck = 0] = line
      .slice(2)
      .map(Number);
    return { pending: queues + unacked, sent, received, lastSent, lastReceived, lastAck };
  });
}

/** Whether `203.0.113.5:443` or `[::ffff:203.0.113.5]:443` is a public IPv4 address. */
function isPublic(peer: string): boolean {
  const address = /^(?:\[::ffff:)?(\d+)\.(\d+)\.\d+\.\d+\]?:/.exec(peer);
  if (address === null) return false;
  const [a, b] = [Number(address[1]), Number(address[2])];
  const isPrivate = a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168);
  const isLocal = a === 127 || (a === 100 && b >= 64 && b < 128) || (a === 169 && b === 254);
  return !isPrivate && !isLocal;
}

/** Where request and answer fall into one tick, which of them came last is not known. For so long it may be a request. */
const UNCLEAR_MS = 6_000;

/**
 * How many connections still carry something: bytes are under way, a request is not answered, or an answer may go on. That
 * is so for as long as the answer has taken until now, and at least `quietMs`.
 */
export function countBusy(connections: readonly OpenConnection[], quietMs: number): number {
  const longest = Math.max(0, ...connections.map((one) => Math.abs(one.lastReceived - one.lastSent)));
  return connections.filter((one) => isBusy(one, quietMs, longest)).length;
}

function isBusy(connection: OpenConnection, quietMs: number, longestMs: number): boolean {
  const { pending, sent, received, lastSent, lastReceived, lastAck } = connection;
  if (pending > 0 || lastSent > lastReceived || (sent === 0 && received > 0)) return true;
  const tookMs = lastReceived - lastSent;
  // The balancer acknowledges an answer, and its next request would be newer than that.
  const isAnswered = tookMs > 0 || lastAck < lastReceived || received === 0;
  return lastSent < (isAnswered ? Math.max(quietMs, tookMs) : Math.max(UNCLEAR_MS, longestMs));
}
