import { ShellError } from '../../errors.js';
import { ADMINISTRATIVELY_PROHIBITED } from './channel.js';
import type { Identities } from './identities.js';
import type { Stop } from './route.js';

export interface FailedConnect {
  stop: Stop;
  droplet: string;
  identities: Identities;
  timeoutMs: number;
}

/** The errors of sockets and of ssh2 (`level`, `code`: its README), told to people. Nothing has run on the droplet. */
export function connectFailure(error: unknown, { stop, droplet, identities, timeoutMs }: FailedConnect): ShellError {
  const { message, level, code, reason } = error as {
    message: string;
    level?: string;
    code?: string;
    reason?: unknown;
  };
  const place = stop.jump ? `${stop.label}, on the way to ${droplet},` : `droplet ${stop.label}`;
  const fail = (kind: 'unreachable' | 'auth', what: string, hint: string) =>
    new ShellError(kind, 'not-applied', `${place} ${what}.`, { droplet, hint, cause: error });
  const manually = `ssh -v -p ${stop.port} ${stop.user}@${stop.host}`;

  if (reason === ADMINISTRATIVELY_PROHIBITED) {
    const hint = 'Set AllowTcpForwarding yes in the /etc/ssh/sshd_config of the jump host.';
    return fail('unreachable', 'cannot be reached: the jump host before it forwards no connections', hint);
  }
  if (reason !== undefined) {
    const hint = `Is it on, and does sshd listen there? Try on the jump host: nc -vz ${stop.host} ${stop.port}`;
    return fail('unreachable', 'cannot be reached from the jump host before it', hint);
  }
  if (/too many authentication failures/i.test(message)) {
    return fail(
      'auth',
      `refused to try more keys for user ${stop.user} (tried: ${identities.tried.join(', ')})`,
      'Set ssh.key in config/deploy.yml, and IdentitiesOnly yes for this host in the ssh configuration.',
    );
  }
  if (level === 'client-authentication' || level === 'agent') {
    const skipped = identities.skipped.length > 0 ? `; not used: ${identities.skipped.join('; ')}` : '';
    return fail(
      'auth',
      `accepted no key for user ${stop.user} (tried: ${identities.tried.join(', ')}${skipped})`,
      identities.hint ??
        `Add the public key to ~/.ssh/authorized_keys of ${stop.user} there, or set ssh.user and ssh.key; try: ${manually}`,
    );
  }
  if (level === 'client-timeout') {
    const firewall = `Is the droplet on, and does a firewall let port ${stop.port} in from here? Try: ${manually}`;
    return fail('unreachable', `did not answer within ${timeoutMs / 1000} s`, firewall);
  }
  switch (code) {
    case 'ECONNREFUSED':
      return fail('unreachable', 'refused the connection', `Is sshd running there, on that port? Try: ${manually}`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fail('unreachable', 'has a name that cannot be resolved', `Correct HostName for it, or DNS: ${stop.host}`);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return fail(
        'unreachable',
        `cannot be reached from here (${code})`,
        `Check the network, or ssh.address; try: ${manually}`,
      );
  }
  if (level === 'handshake' || level === 'protocol') {
    const dropped = /connection lost before handshake/i.test(message);
    return fail(
      'unreachable',
      dropped ? 'hung up before the SSH handshake' : `and do-deploy could not agree on SSH (${message})`,
      dropped
        ? `Does sshd limit connections (MaxStartups, fail2ban)? Try: ${manually}`
        : `Is it an SSH server? Try: ${manually}`,
    );
  }
  return fail('unreachable', `dropped the connection during login (${code ?? message})`, `Try: ${manually}`);
}
