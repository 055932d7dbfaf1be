/** Channels for commands. node-ssh's execCommand keeps all output, breaks characters and hides lost connections. */
import type { ClientChannel } from 'ssh2';
import { ShellError } from '../../errors.js';
import type { RemoteHost } from '../../ports.js';
import type { Link } from './link.js';

/** Reason code of a channel that sshd does not open (RFC 4254, 5.1): for a forwarded one, AllowTcpForwarding no. */
export const ADMINISTRATIVELY_PROHIBITED = 1;

/** Both absent when the channel closed without an exit status, for example because the connection was lost. */
export interface Exit {
  code?: number;
  signal?: string;
}

export interface CommandChannel {
  channel: ClientChannel;
  /** Settles when the channel is closed; never rejects. */
  exit: Promise<Exit>;
}

/** A terminal of a channel, as ssh2 asks for it. */
export interface PseudoTerminal {
  term: string;
  cols: number;
  rows: number;
  width: number;
  height: number;
}

/**
 * Starts a command line, or the login shell. Throws ShellError.
 * @param commandLine absent: the login shell
 */
export function openChannel(
  link: Link,
  commandLine: string | undefined,
  host: RemoteHost,
  terminal?: PseudoTerminal,
): Promise<CommandChannel> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | undefined, channel: ClientChannel) => {
      if (error) return reject(refused(error, host));
      // 'close' follows; an 'error' without a listener would end the process.
      channel.on('error', () => {});
      resolve({ channel, exit: exitOf(channel) });
    };
    try {
      if (commandLine === undefined) link.client.shell(terminal ?? false, done);
      else link.client.exec(commandLine, terminal === undefined ? {} : { pty: terminal }, done);
    } catch (cause) {
      // The socket has just ended and its 'close' is still to come: nothing was sent.
      link.lose('the server closed the connection');
      reject(lost(host, 'not-applied', 'it was closed', cause));
    }
  });
}

/** Must be called immediately: the exit status of a quick command can be in the same packet as the confirmation. */
function exitOf(channel: ClientChannel): Promise<Exit> {
  const exit: Exit = {};
  channel.on('exit', (code: number | null, signal?: string) => {
    if (code !== null) exit.code = code;
    if (signal !== undefined) exit.signal = signal;
  });
  return new Promise((resolve) => channel.on('close', () => resolve(exit)));
}

export function isRefusal(cause: Error): boolean {
  return /channel open failure/i.test(cause.message);
}

/** The error of a channel that did not open. */
export function refused(cause: Error, host: RemoteHost): ShellError {
  if (isRefusal(cause)) {
    return new ShellError('unreachable', 'not-applied', `droplet ${host.name} refuses another SSH session.`, {
      droplet: host.name,
      hint: 'Set MaxSessions to 10 or more in its /etc/ssh/sshd_config, then run there: systemctl reload ssh',
      cause,
    });
  }
  return lost(host, 'unknown', cause.message, cause);
}

/** `outcome` is `unknown` when something was sent that may have run. */
export function lost(
  host: RemoteHost,
  outcome: 'not-applied' | 'unknown',
  reason: string,
  cause?: unknown,
): ShellError {
  return new ShellError('lost', outcome, `The SSH connection to ${host.name} was lost: ${reason}.`, {
    droplet: host.name,
    hint: 'Check the droplet and its network, then run again.',
    cause,
  });
}
