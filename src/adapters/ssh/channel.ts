/** Channels for commands. Not node-ssh's execCommand, which keeps all output, breaks characters and hides lost connections. */
import type { Client, ClientChannel } from 'ssh2';
import { ShellError } from '../../errors.js';
import type { RemoteHost } from '../../ports.js';
import type { Link } from './link.js';

/** Why sshd opens no channel (RFC 4254, 5.1): for a forwarded one, AllowTcpForwarding no. */
export const ADMINISTRATIVELY_PROHIBITED = 1;

/** Starts a command line. Throws ShellError. */
export function openChannel(link: Link, commandLine: string, host: RemoteHost): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | undefined, channel: ClientChannel) => {
      if (error) return reject(refused(error, host));
      // Its end is told by 'close'; an 'error' nobody listens to would end the process.
      channel.on('error', () => {});
      resolve(channel);
    };
    try {
      link.client.exec(commandLine, done);
    } catch (cause) {
      // The socket ended a moment ago and its 'close' is still to come: nothing was sent.
      link.lose('the server closed the connection');
      reject(lost(host, 'not-applied', 'it was closed', cause));
    }
  });
}

function refused(cause: Error, host: RemoteHost): ShellError {
  if (/channel open failure/i.test(cause.message)) {
    return new ShellError('unreachable', 'not-applied', `droplet ${host.name} refuses another SSH session.`, {
      droplet: host.name,
      hint: 'Raise MaxSessions in its /etc/ssh/sshd_config (10 is the default) and reload sshd.',
      cause,
    });
  }
  return lost(host, 'unknown', cause.message, cause);
}

/** `outcome`: whether anything was sent that may have run. */
export function lost(
  host: RemoteHost,
  outcome: 'not-applied' | 'unknown',
  reason: string,
  cause?: unknown,
): ShellError {
  return new ShellError('lost', outcome, `The SSH connection to ${host.name} was lost: ${reason}.`, {
    droplet: host.name,
    hint: `Look at the droplet and its network, then run again; try: ssh ${host.address}`,
    cause,
  });
}

/** Ends the remote process as far as a client can: a signal to its process group, then the channel's end. */
export function abandon(client: Client, channel: ClientChannel): void {
  // channel.signal() does nothing once standard input is closed, which is when a command runs; the protocol allows it.
  const { _protocol: protocol } = client as unknown as { _protocol?: { signal?(channel: number, name: string): void } };
  const { outgoing } = channel as unknown as { outgoing?: { id: number; state: string } };
  if (outgoing && outgoing.state !== 'closed' && outgoing.state !== 'closing') protocol?.signal?.(outgoing.id, 'TERM');
  channel.close();
}
