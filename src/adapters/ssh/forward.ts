/** TCP connections that a server makes for this end. */
import type { Duplex } from 'node:stream';
import { ShellError } from '../../errors.js';
import type { Clock, RemoteHost } from '../../ports.js';
import { ADMINISTRATIVELY_PROHIBITED, lost } from './channel.js';
import type { Link } from './link.js';
import { type Interruption, within } from './within.js';

/** How long the droplet may take to connect, in ms. */
const CONNECT_MS = 20_000;

/** Throws ShellError lost or unreachable. */
export function forwardTo(
  link: Link,
  host: RemoteHost,
  { address, port }: { address: string; port: number },
  clock: Clock,
): Promise<Duplex> {
  const where = `${address}:${port}`;
  const unreachable = (message: string, hint?: string) =>
    new ShellError('unreachable', 'not-applied', message, { droplet: host.name, hint });
  const fail = (how: Interruption, reason: string) =>
    how === 'lost'
      ? lost(host, 'unknown', reason)
      : unreachable(`${host.name} could not connect to ${where} within ${CONNECT_MS / 1000} s.`);
  return within(link, clock, { timeoutMs: CONNECT_MS, fail }, async (stop) => {
    const stream = await open();
    if (stop.aborted) stream.destroy();
    return stream;
  });

  async function open(): Promise<Duplex> {
    try {
      return await link.ssh.forwardOut('127.0.0.1', 0, address, port);
    } catch (error) {
      if (link.lostBecause !== undefined) throw lost(host, 'unknown', link.lostBecause, error);
      const { reason, message } = error as { reason?: unknown; message: string };
      if (reason === ADMINISTRATIVELY_PROHIBITED) {
        throw unreachable(
          `${host.name} forwards no connections.`,
          'Set AllowTcpForwarding yes in its /etc/ssh/sshd_config, then run there: systemctl reload ssh',
        );
      }
      const why = message.replace(/^.*channel open failure:\s*/i, '').toLowerCase();
      throw unreachable(`${host.name} cannot connect to ${where}: ${why}.`);
    }
  }
}
