/** Channels for commands. Not node-ssh's execCommand, which keeps all output, breaks characters and hides lost connections. */
import type { ClientChannel } from 'ssh2';
import { ShellError } from '../../errors.js';
import type { RemoteHost } from '../../ports.js';
import type { Link } from './link.js';

/** Why sshd opens no channel (RFC 4254, 5.1): for a forwarded one, AllowTcpForwarding no. */
export const ADMINISTRATIVELY_PROHIBITED = 1;

/** Both absent when the channel closed without a word on the process, as it does when the connection is lost. */
export interface Exit {
  code?: number;
  signal?: string;
}

export interface CommandChannel {
  channel: ClientChannel;
  /** Settles when the channel is closed. */
  exit: Promise<Exit>;
}

/** Starts a command line. Throws ShellError. */
export function openChannel(link: Link, commandLine: string, host: RemoteHost): Promise<CommandChannel> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | undefined, channel: ClientChannel) => {
      if (error) return reject(refused(error, host));
      // Its end is told by 'close'; an 'error' nobody listens to would end the process.
      channel.on('error', () => {});
      resolve({ channel, exit: exitOf(channel) });
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

/** To be called at once: the news of a quick command's end can be in the packet that says it has begun. */
function exitOf(channel: ClientChannel): Promise<Exit> {
  const exit: Exit = {};
  channel.on('exit', (code: number | null, signal?: string) => {
    if (code !== null) exit.code = code;
    if (signal !== undefined) exit.signal = signal;
  });
  return new Promise((resolve) => channel.on('close', () => resolve(exit)));
}

/** The error of a channel that did not open. */
export function refused(cause: Error, host: RemoteHost): ShellError {
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
    hint: 'Look at the droplet and its network, then run again.',
    cause,
  });
}
