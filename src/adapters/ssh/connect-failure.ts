import { inWords } from '../../durations.js';
import { ShellError } from '../../errors.js';
import { oneLine } from '../printable.js';
import { SHA1_REFUSED } from './agent.js';
import { ADMINISTRATIVELY_PROHIBITED } from './channel.js';
import type { Identities } from './identities.js';
import type { Stop } from './route.js';

export interface FailedConnect {
  stop: Stop;
  /** The command line to try it by hand. */
  byHand: string;
  droplet: string;
  identities: Identities;
  timeoutMs: number;
  /** What the server sent before it identified itself as an SSH server. */
  greeting: string;
  /** Why the ProxyCommand failed. */
  proxyFailure?: string;
}

/** The server closed the connection before the handshake, as sshd does when it limits connections: worth a later attempt. */
export class ConnectionLimited extends ShellError {}

/** Errors of sockets and of ssh2 (`level`, `code`: its README), for people. Nothing has run on the droplet. */
export function connectFailure(error: unknown, failed: FailedConnect): ShellError {
  const { stop, byHand, droplet, identities, timeoutMs } = failed;
  const { message, level, code, reason } = error as {
    message: string;
    level?: string;
    code?: string;
    reason?: unknown;
  };
  const place = stop.jump ? `${stop.label}, on the way to ${droplet},` : `droplet ${stop.label}`;
  const fail = (kind: 'unreachable' | 'auth', what: string, hint: string) =>
    new ShellError(kind, 'not-applied', `${place} ${what}.`, { droplet, hint, cause: error });

  if (reason === ADMINISTRATIVELY_PROHIBITED) {
    const hint = 'Set AllowTcpForwarding yes in the /etc/ssh/sshd_config of the jump host.';
    return fail('unreachable', 'cannot be reached: the jump host before it forwards no connections', hint);
  }
  if (reason !== undefined) {
    const hint = `Check that it is on and that sshd listens there. Try on the jump host: nc -vz ${stop.host} ${stop.port}`;
    return fail('unreachable', 'cannot be reached from the jump host before it', hint);
  }
  if (failed.proxyFailure !== undefined && stop.proxyCommand !== undefined && !isSshServer(failed.greeting)) {
    const what = `cannot be reached through ProxyCommand (${stop.proxyCommand.place}): ${oneLine(failed.proxyFailure)}`;
    return fail('unreachable', what, `Check the command, or the network. Try: ${byHand}`);
  }
  if (code === SHA1_REFUSED) {
    const hint = `Use an ed25519 key, or allow SHA-1 for this host in the ssh configuration: PubkeyAcceptedAlgorithms +ssh-rsa`;
    return fail('auth', 'accepts signatures of RSA keys with SHA-1 only, which is not allowed', hint);
  }
  if (/too many authentication failures/i.test(message)) {
    return fail(
      'auth',
      `refused to try more keys for user ${stop.user} (tried: ${identities.tried.join(', ')})`,
      "Set ssh.key in do-deploy's configuration file, and IdentitiesOnly yes for this host in the ssh configuration.",
    );
  }
  if (level === 'client-authentication' || level === 'agent') {
    const skipped = identities.skipped.length > 0 ? `; not used: ${identities.skipped.join('; ')}` : '';
    return fail(
      'auth',
      `accepted no key for user ${stop.user} (tried: ${identities.tried.join(', ')}${skipped})`,
      identities.hint ??
        `Add the public key to ~/.ssh/authorized_keys of ${stop.user} there, or set ssh.user and ssh.key. Try: ${byHand}`,
    );
  }
  if (level === 'client-timeout') {
    const firewall = `Check that the droplet is on, and that firewalls allow port ${stop.port} from here. Try: ${byHand}`;
    return fail('unreachable', `did not answer within ${inWords(timeoutMs)}`, firewall);
  }
  switch (code) {
    case 'ECONNREFUSED':
      return fail('unreachable', 'refused the connection', `Check that sshd runs there, on that port. Try: ${byHand}`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fail('unreachable', 'has a name that cannot be resolved', `Correct HostName for it, or DNS: ${stop.host}`);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return fail(
        'unreachable',
        `cannot be reached from here (${code})`,
        `Check the network, or ssh.address. Try: ${byHand}`,
      );
  }
  if (isHangUp(error, failed.greeting)) return limited(place, failed, byHand, error);
  if (level === 'handshake' || level === 'protocol') {
    return fail(
      'unreachable',
      `and do-deploy could not agree on SSH (${oneLine(message)})`,
      `Check that it is an SSH server. Try: ${byHand}`,
    );
  }
  return fail('unreachable', `dropped the connection during login (${code ?? oneLine(message)})`, `Try: ${byHand}`);
}

/** Before its identification, so before any handshake: sshd drops connections over a limit like that. */
function isHangUp(error: unknown, greeting: string): boolean {
  const { message, code } = error as { message: string; code?: string };
  if (isSshServer(greeting)) return false;
  return /connection lost before handshake/i.test(message) || code === 'ECONNRESET' || code === 'EPIPE';
}

function isSshServer(greeting: string): boolean {
  return /^SSH-/m.test(greeting);
}

function limited(place: string, { greeting, droplet }: FailedConnect, byHand: string, cause: unknown): ShellError {
  const [what, hint] = /MaxStartups/i.test(greeting)
    ? [
        'refuses further connections: its sshd has reached MaxStartups',
        'Raise MaxStartups in its /etc/ssh/sshd_config (10:30:100 is the default), then run there: systemctl reload ssh',
      ]
    : /Not allowed at this time/i.test(greeting)
      ? [
          'refuses connections from this address for some time (PerSourcePenalties of its sshd)',
          'Wait a few minutes, or add this address to PerSourcePenaltyExemptList in its /etc/ssh/sshd_config.',
        ]
      : [
          'closed the connection before the SSH handshake',
          `sshd may limit connections (MaxStartups, PerSourcePenalties), or fail2ban may block this address. Try: ${byHand}`,
        ];
  return new ConnectionLimited('unreachable', 'not-applied', `${place} ${what}.`, { droplet, hint, cause });
}
