/** The policy on host keys: what known_hosts says of a server's key, and what becomes of the connection. */
import { readFileSync } from 'node:fs';
import { ShellError } from '../../errors.js';
import {
  appendKnownHost,
  fingerprintOf,
  hostKeyAlgorithms,
  judgeHostKey,
  type KnownHost,
  keyType,
  knownHostLine,
  parseKnownHosts,
  trustsAuthority,
} from '../known-hosts.js';
import { quote } from './quote.js';
import type { Stop } from './route.js';

export interface HostKeyPolicy {
  hostKeys: 'accept-new' | 'strict';
  onNotice(message: string, droplet: string): void;
}

/** Keys accepted in this run, of all connections: the file may be read-only (a CI runner's), and others are connecting. */
export type AcceptedKeys = KnownHost[];

/** One server's key, checked while ssh2 shakes hands. Reading and appending are synchronous: ssh2 can't wait safely. */
export class HostKeyCheck {
  /** For ssh2's `algorithms.serverHostKey`; undefined for an unknown host. */
  readonly algorithms: string[] | undefined;
  /** Why the key was refused. */
  refusal: ShellError | undefined;
  fingerprint = '';
  readonly #files: Map<string, KnownHost[]>;
  #fresh: Buffer | undefined;

  constructor(
    readonly stop: Stop,
    readonly droplet: string,
    readonly policy: HostKeyPolicy,
    readonly accepted: AcceptedKeys,
  ) {
    this.#files = new Map(stop.knownHostsFiles.map((file) => [file, parseKnownHosts(read(file, droplet), file)]));
    this.algorithms = hostKeyAlgorithms(this.#entries(), stop.knownName);
    if (trustsAuthority(this.#entries(), stop.knownName)) {
      const text = `known_hosts trusts a certificate authority for ${stop.label}: certificates are not supported, its plain key is checked instead`;
      policy.onNotice(text, droplet);
    }
  }

  /**
   * ssh2's hostVerifier; also called at each renewal of the session's keys. Only the boolean false refuses: a promise of
   * false would be taken for consent.
   */
  verify(key: Buffer): boolean {
    this.fingerprint = fingerprintOf(key);
    const verdict = judgeHostKey(this.#entries(), this.stop.knownName, key);
    if (verdict.kind === 'known') return true;
    if (verdict.kind === 'unknown' && this.policy.hostKeys === 'accept-new') {
      this.#fresh = key;
      return true;
    }
    if (verdict.kind === 'unknown') this.refusal = this.#unknown(key);
    else if (verdict.kind === 'revoked') this.refusal = this.#revoked(verdict.entry);
    else this.refusal = this.#changed(verdict.expected);
    return false;
  }

  /**
   * To be called after the handshake: only then has the server proved that the key is its own. Refuses it when another
   * connection has met the same host with another key in between.
   */
  remember(): void {
    const key = this.#fresh;
    this.#fresh = undefined;
    if (!key) return;
    const verdict = judgeHostKey(this.#entries(), this.stop.knownName, key);
    if (verdict.kind === 'changed') this.refusal = this.#changed(verdict.expected);
    if (verdict.kind !== 'unknown') return;
    const [file = ''] = this.stop.knownHostsFiles;
    const hashed = (this.#files.get(file) ?? []).some(({ hosts }) => 'hash' in hosts);
    this.accepted.push(...parseKnownHosts(knownHostLine(this.stop.knownName, key, false), 'accepted in this run'));
    const what = `accepted the host key of ${this.stop.label}: ${fingerprintOf(key)} (${keyType(key)})`;
    try {
      appendKnownHost(file, knownHostLine(this.stop.knownName, key, hashed));
      this.policy.onNotice(`${what}, now in ${file}`, this.droplet);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.policy.onNotice(`${what}, for this run only: ${file} cannot be written (${reason})`, this.droplet);
    }
  }

  /** The server has no key of a known type, so that the handshake failed before it presented one. */
  otherType(): ShellError {
    const known = this.#entries().filter(
      (entry) => judgeHostKey([entry], this.stop.knownName, entry.key).kind === 'known',
    );
    const places = known.map((entry) => `${entry.type} at ${entry.place}`).join(', ');
    return this.#refuse(
      `${this.stop.label} no longer has the host key that known_hosts holds for it (${places}).`,
      this.#removal(),
    );
  }

  #entries(): KnownHost[] {
    return [...[...this.#files.values()].flat(), ...this.accepted];
  }

  #unknown(key: Buffer): ShellError {
    const { host, port, knownName, knownHostsFiles } = this.stop;
    const type = keyType(key).replace(/^ssh-|-sha2-nistp\d+$/g, '');
    const scan = `ssh-keyscan -t ${type} -p ${port} ${host}`;
    // ssh-keyscan writes the address: an entry under an alias (HostKeyAlias) has to be renamed.
    const how = knownName.includes(host.toLowerCase()) ? scan : `${scan} | sed 's/^[^ ]*/${knownName}/'`;
    return this.#refuse(
      `The host key of ${this.stop.label} is not in known_hosts, and ssh.host_keys is strict. It presented ${this.fingerprint} (${keyType(key)}).`,
      `If the droplet's console shows that fingerprint (ssh-keygen -lf /etc/ssh/ssh_host_${type}_key.pub), run: ${how} >> ${knownHostsFiles[0]}`,
    );
  }

  #changed(expected: readonly KnownHost[]): ShellError {
    const known = expected.map((entry) => `${fingerprintOf(entry.key)} (${entry.type}, ${entry.place})`).join(' or ');
    return this.#refuse(
      `The host key of ${this.stop.label} has changed: expected ${known}, but it presented ${this.fingerprint}. Nothing was sent to it.`,
      this.#removal(),
    );
  }

  #revoked(entry: KnownHost): ShellError {
    return this.#refuse(
      `${this.stop.label} presented a revoked host key, ${this.fingerprint} (${entry.place}). Nothing was sent to it.`,
      'Give the server a new host key; do not use it before.',
    );
  }

  #removal(): string {
    const removal = this.stop.knownHostsFiles
      .filter(
        (file) => judgeHostKey(this.#files.get(file) ?? [], this.stop.knownName, Buffer.alloc(0)).kind === 'changed',
      )
      .map((file) => `ssh-keygen -R ${quote(this.stop.knownName)} -f ${quote(file)}`)
      .join(' && ');
    return `Only if the droplet was rebuilt, or its address given to another: ${removal}. Otherwise somebody may be listening in.`;
  }

  #refuse(message: string, hint: string): ShellError {
    return new ShellError('host-key', 'not-applied', message, { droplet: this.droplet, hint });
  }
}

function read(file: string, droplet: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    throw new ShellError(
      'host-key',
      'not-applied',
      `${file} cannot be read (${code}), so no host key can be checked.`,
      {
        source: 'user',
        droplet,
        hint: 'Make the file readable, or name another by ssh.known_hosts in config/deploy.yml.',
      },
    );
  }
}
