/** From a route to a live link: through each jump host in turn, every host key verified. */
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Algorithms, ConnectConfig } from 'ssh2';
import type { SshSettings } from '../../config/settings.js';
import type { Clock } from '../../ports.js';
import { unusableAgentKeys } from './agent.js';
import { connectFailure } from './connect-failure.js';
import { type AcceptedKeys, HostKeyCheck } from './host-keys.js';
import { loadIdentities } from './identities.js';
import { Link } from './link.js';
import { loginCommand } from './login-command.js';
import { openProxy, type ProxiedSocket } from './proxy-command.js';
import type { Stop } from './route.js';
import { within } from './within.js';

export interface KeepAlive {
  intervalMs: number;
  /** Unanswered ones in a row until the connection counts as lost. */
  count: number;
}

export interface LinkOptions {
  settings: SshSettings;
  clock: Clock;
  onNotice(message: string, droplet: string): void;
  accepted: AcceptedKeys;
  keepAlive: KeepAlive;
  limits: HandshakeLimits;
}

/** Concurrent handshakes with one server: sshd drops connections from 10 on (MaxStartups 10:30:100). */
const MAX_HANDSHAKES = 8;
/** How long a failed ProxyCommand may take to end, in ms. */
const PROXY_END_MS = 300;
/** Bounds what is kept of a server's first bytes. */
const MAX_GREETING = 512;

/** Of a whole run. Droplets behind one jump host or one ProxyCommand share its limit. */
export class HandshakeLimits {
  readonly #limits = new Map<string, LimitFunction>();

  for({ host, port, proxyCommand }: Stop): LimitFunction {
    const key = proxyCommand === undefined ? `${host}:${port}` : proxyCommand.place;
    const limit = this.#limits.get(key) ?? pLimit(MAX_HANDSHAKES);
    this.#limits.set(key, limit);
    return limit;
  }
}

/** Throws ShellError unreachable, auth or host-key. `timeoutMs` bounds the way to each stop. */
export async function openLink(
  route: readonly Stop[],
  droplet: string,
  timeoutMs: number,
  options: LinkOptions,
): Promise<Link> {
  let link: Link | undefined;
  try {
    for (const [index, stop] of route.entries()) {
      const upstream = link;
      const bound = Math.min(timeoutMs, stop.connectTimeoutMs ?? timeoutMs);
      link = await options.limits.for(stop)(() =>
        logIn(stop, route.slice(0, index + 1), droplet, bound, options, upstream),
      );
    }
  } catch (error) {
    link?.lose('the connection through it failed');
    throw error;
  }
  if (!link) throw new RangeError('a route has at least one stop');
  return link;
}

/** @param route to the stop, which is its last one */
async function logIn(
  stop: Stop,
  route: readonly Stop[],
  droplet: string,
  timeoutMs: number,
  { settings, clock, onNotice, accepted, keepAlive }: LinkOptions,
  upstream: Link | undefined,
): Promise<Link> {
  const [{ NodeSSH }, { default: ssh2 }] = await Promise.all([import('node-ssh'), import('ssh2')]);
  const identities = await loadIdentities(ssh2, stop, settings, droplet);
  const check = new HostKeyCheck(stop, droplet, accepted, onNotice);
  let opened: OpenedSocket | undefined;
  const failure = (error: unknown) =>
    connectFailure(error, {
      stop,
      byHand: loginCommand(route, '-v'),
      droplet,
      identities,
      timeoutMs,
      greeting: opened?.greeting() ?? '',
      proxyFailure: opened?.proxy?.failure(),
    });

  // A socket of our own: it can be destroyed when ssh2 would wait for the other side.
  opened = await openSocket(stop, upstream, clock, timeoutMs).catch((error) => {
    throw failure(error);
  });
  const { socket } = opened;
  const ssh = new NodeSSH();
  const connected = ssh.connect({
    sock: socket as unknown as NonNullable<ConnectConfig['sock']>,
    username: stop.user,
    authHandler: identities.methods,
    hostVerifier: (key: Buffer) => check.verify(key),
    algorithms: { ...stop.algorithms.offered, serverHostKey: check.algorithms } as Algorithms,
    readyTimeout: timeoutMs,
    // Off by default: a connection into a black hole would wait for ever.
    keepaliveInterval: keepAlive.intervalMs,
    keepaliveCountMax: keepAlive.count,
  });
  const client = ssh.connection;
  if (!client) throw await connected.then(() => new Error('node-ssh has no client'), failure);
  client.once('handshake', () => {
    check.remember();
    if (check.refusal) socket.destroy();
  });
  const link = new Link(ssh, client, () => check.fingerprint, socket, clock, upstream);
  try {
    await connected;
    link.ready();
    return link;
  } catch (error) {
    // Its last words come with its end, which is later than that of its output.
    if (opened.proxy) await Promise.race([opened.proxy.ended, clock.sleep(PROXY_END_MS)]);
    link.lose('login failed');
    if (check.refusal) throw check.refusal;
    if (/no matching (server )?host key/i.test(String(error)) && check.isKnown) throw check.otherType();
    const { agentSocket } = stop.identity;
    if (isRefusedLogin(error) && agentSocket !== undefined) {
      identities.skipped.push(...(await unusableAgentKeys(agentSocket, clock)));
    }
    throw failure(error);
  }
}

function isRefusedLogin(error: unknown): boolean {
  return (error as { level?: string }).level === 'client-authentication';
}

interface OpenedSocket {
  socket: Duplex;
  greeting(): string;
  proxy?: ProxiedSocket;
}

async function openSocket(
  stop: Stop,
  upstream: Link | undefined,
  clock: Clock,
  timeoutMs: number,
): Promise<OpenedSocket> {
  const { host, port, proxyCommand, family, localAddress } = stop;
  if (upstream) return { socket: await tunnel(upstream, stop, clock, timeoutMs), greeting: () => '' };
  if (proxyCommand) {
    const proxy = openProxy(proxyCommand.line);
    return { socket: proxy.socket, greeting: listenForGreeting(proxy.socket), proxy };
  }
  const socket = connectTcp({ host, port, family, localAddress, noDelay: true });
  return { socket, greeting: listenForGreeting(socket) };
}

/** The server's first words: "Exceeded MaxStartups" instead of "SSH-2.0-…". */
function listenForGreeting(socket: Duplex): () => string {
  let text = '';
  const listen = (chunk: Buffer) => {
    text += chunk.toString('latin1', 0, MAX_GREETING);
    if (text.length >= MAX_GREETING || /^SSH-/m.test(text)) socket.removeListener('data', listen);
  };
  socket.on('data', listen);
  return () => text;
}

/** A TCP connection made by the jump host. */
function tunnel(upstream: Link, { host, port }: Stop, clock: Clock, timeoutMs: number): Promise<Duplex> {
  const fail = (how: 'timeout' | 'lost' | 'aborted', reason: string) =>
    Object.assign(new Error(reason), how === 'timeout' ? { level: 'client-timeout' } : {});
  return within(upstream, clock, { timeoutMs, fail }, () => upstream.ssh.forwardOut('127.0.0.1', 0, host, port));
}
