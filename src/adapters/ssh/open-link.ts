/** From a route to a live link: through each jump host in turn, every host key verified. */
import { connect as connectTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectConfig } from 'ssh2';
import type { SshSettings } from '../../config/settings.js';
import type { Clock } from '../../ports.js';
import { connectFailure } from './connect-failure.js';
import { type AcceptedKeys, HostKeyCheck, type HostKeyPolicy } from './host-keys.js';
import { loadIdentities } from './identities.js';
import { Link } from './link.js';
import type { Stop } from './route.js';
import { within } from './within.js';

export interface KeepAlive {
  intervalMs: number;
  /** So many unanswered ones in a row, and the connection counts as lost. */
  count: number;
}

export interface LinkOptions {
  settings: SshSettings;
  clock: Clock;
  policy: HostKeyPolicy;
  accepted: AcceptedKeys;
  keepAlive: KeepAlive;
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
    for (const stop of route) link = await logIn(stop, droplet, timeoutMs, options, link);
  } catch (error) {
    link?.lose('the connection through it failed');
    throw error;
  }
  if (!link) throw new RangeError('a route has at least one stop');
  return link;
}

async function logIn(
  stop: Stop,
  droplet: string,
  timeoutMs: number,
  { settings, clock, policy, accepted, keepAlive }: LinkOptions,
  upstream: Link | undefined,
): Promise<Link> {
  const [{ NodeSSH }, { default: ssh2 }] = await Promise.all([import('node-ssh'), import('ssh2')]);
  const identities = await loadIdentities(ssh2, stop, settings, droplet);
  const check = new HostKeyCheck(stop, droplet, policy, accepted);
  const failure = (error: unknown) => connectFailure(error, { stop, droplet, identities, timeoutMs });

  // A socket of our own: it can be destroyed when ssh2 would wait for the other side.
  const socket = upstream
    ? await tunnel(upstream, stop, clock, timeoutMs).catch((error) => {
        throw failure(error);
      })
    : openSocket(stop);
  const ssh = new NodeSSH();
  const connected = ssh.connect({
    sock: socket as unknown as NonNullable<ConnectConfig['sock']>,
    username: stop.user,
    authHandler: identities.methods,
    hostVerifier: (key: Buffer) => check.verify(key),
    ...(check.algorithms && { algorithms: { serverHostKey: check.algorithms as never } }),
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
    link.lose('login failed');
    if (check.refusal) throw check.refusal;
    if (check.algorithms && /no matching (server )?host key/i.test(String(error))) throw check.otherType();
    throw failure(error);
  }
}

function openSocket({ host, port }: Stop): Socket {
  return connectTcp({ host, port, noDelay: true });
}

/** A TCP connection made by the jump host. */
function tunnel(upstream: Link, { host, port }: Stop, clock: Clock, timeoutMs: number): Promise<Duplex> {
  const fail = (how: 'timeout' | 'lost' | 'aborted', reason: string) =>
    Object.assign(new Error(reason), how === 'timeout' ? { level: 'client-timeout' } : {});
  return within(upstream, clock, { timeoutMs, fail }, () => upstream.ssh.forwardOut('127.0.0.1', 0, host, port));
}
