/**
 * The algorithms that are offered to a server. SHA-1 (`ssh-rsa` signatures, hmac-sha1) is used only where the ssh
 * configuration asks for it.
 */
import { ConfigProblem } from './config-lines.js';
import type { HostOptions } from './host-options.js';
import { matchesPatterns } from './patterns.js';

interface Choice {
  defaults: readonly string[];
  /** What ssh2 can do besides. */
  onRequest: readonly string[];
}

const HOST_KEY: Choice = {
  defaults: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
  onRequest: ['ssh-rsa'],
};
const KEX: Choice = {
  defaults: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group-exchange-sha256',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
    'diffie-hellman-group14-sha256',
  ],
  onRequest: ['diffie-hellman-group14-sha1', 'diffie-hellman-group-exchange-sha1', 'diffie-hellman-group1-sha1'],
};
const MAC: Choice = {
  defaults: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  onRequest: ['hmac-sha1-etm@openssh.com', 'hmac-sha1'],
};
const CIPHER: Choice = {
  defaults: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
    'chacha20-poly1305@openssh.com',
  ],
  onRequest: ['aes128-cbc', 'aes256-cbc'],
};

export interface AlgorithmChoice {
  /** For ssh2, whose own defaults suit this machine's processor where a list is absent. */
  offered: { serverHostKey: string[]; hmac: string[]; kex?: string[]; cipher?: string[] };
  /** Signature algorithms for logging in, such as `rsa-sha2-256`. */
  signatures: string[];
}

/** Throws ConfigProblem when the configuration leaves nothing that ssh2 can do. */
export function chooseAlgorithms(options: Partial<HostOptions>): AlgorithmChoice {
  const { hostKeyAlgorithms, pubkeyAcceptedAlgorithms, kexAlgorithms, ciphers, macs } = options;
  return {
    offered: {
      serverHostKey: choose('HostKeyAlgorithms', hostKeyAlgorithms, HOST_KEY),
      hmac: choose('MACs', macs, MAC),
      kex: kexAlgorithms && choose('KexAlgorithms', kexAlgorithms, KEX),
      cipher: ciphers && choose('Ciphers', ciphers, CIPHER),
    } as AlgorithmChoice['offered'],
    signatures: choose('PubkeyAcceptedAlgorithms', pubkeyAcceptedAlgorithms, HOST_KEY),
  };
}

/** A list as ssh_config(5) has it: `a,b` replaces the default, `+a` adds to it, `-a` removes, `^a` puts in front. */
function choose(option: string, written: string | undefined, { defaults, onRequest }: Choice): string[] {
  if (written === undefined) return [...defaults];
  const mode = /^[+^-]/.exec(written)?.[0] ?? '';
  const patterns = written
    .slice(mode.length)
    .split(',')
    .map((pattern) => pattern.trim());
  const named = patterns.flatMap((pattern) =>
    [...defaults, ...onRequest].filter((name) => matchesPatterns([pattern], [name])),
  );
  const without = defaults.filter((name) => !named.includes(name));
  const chosen = { '': named, '+': [...defaults, ...named], '-': without, '^': [...named, ...without] }[mode] ?? named;
  if (chosen.length > 0) return [...new Set(chosen)];
  const message = `${option} ${written} leaves nothing that do-deploy can use`;
  throw new ConfigProblem(message, `Add one of these for this host: ${defaults.join(', ')}`, written);
}
