/** The policy on host keys: what the files say about a server's key, and what that means for the connection. */
import { readFileSync } from 'node:fs';
import { ShellError } from '../../errors.js';
import {
  appendKnownHost,
  authorityFor,
  fingerprintOf,
  hostKeyAlgorithms,
  judgeHostKey,
  type KnownHost,
  keyType,
  knownHostLine,
  NotWritable,
  parseKnownHosts,
  withKnownHostsLocked,
} from '../known-hosts.js';
import { quote } from './quote.js';
import type { Stop } from './route.js';

/** Keys accepted in this run, of all connections: the file may be read-only, as on a CI runner. */
export type AcceptedKeys = KnownHost[];

/** Checks one server's key while ssh2 shakes hands. Reading and appending are synchronous: ssh2 cannot wait safely. */
export class HostKeyCheck {
  /** For ssh2's `algorithms.serverHostKey`. */
  readonly algorithms: string[];
  /** Whether a key of the host is known. */
  readonly isKnown: boolean;
  /** Why the key was refused. */
  refusal: ShellError | undefined;
  fingerprint = '';
  #entries: KnownHost[];
  #fresh: Buffer | undefined;

  /** Throws ShellError host-key when a file cannot be read, or asks for what cannot be checked. */
  constructor(
    readonly stop: Stop,
    readonly droplet: string,
    readonly accepted: AcceptedKeys,
    readonly onNotice: (message: string, droplet: string) => void,
  ) {
    const { name } = stop.hostKey;
    this.#entries = this.#readFiles();
    const offered = stop.algorithms.offered.serverHostKey;
    const known = hostKeyAlgorithms(this.#all(), name, offered);
    this.algorithms = known ?? offered;
    this.isKnown = known !== undefined;
    if (known?.length === 0) throw this.#noUsableType();
    const authority = authorityFor(this.#all(), name);
    if (authority === undefined) return;
    // OpenSSH would check a certificate. A key that is known by itself is as good; an unknown one is not to be trusted.
    if (known === undefined) throw this.#certificateNeeded(authority);
    const text = `${authority.place} trusts a certificate authority for ${stop.label}: host certificates are not supported, its known key is checked instead`;
    onNotice(text, droplet);
  }

  /**
   * ssh2's hostVerifier; also called when session keys are renewed. Only the boolean false refuses: a promise of false
   * would count as consent.
   */
  verify(key: Buffer): boolean {
    this.fingerprint = fingerprintOf(key);
    const verdict = judgeHostKey(this.#all(), this.stop.hostKey.name, key);
    if (verdict.kind === 'known') return true;
    if (verdict.kind === 'unknown' && this.stop.hostKey.strictBecause === undefined) {
      this.#fresh = key;
      return true;
    }
    if (verdict.kind === 'unknown') this.refusal = this.#unknown(key);
    else if (verdict.kind === 'revoked') this.refusal = this.#revoked(verdict.entry);
    else this.refusal = this.#changed(verdict.expected);
    return false;
  }

  /**
   * Must be called after the handshake: only then has the server proved that the key is its own. Refuses the key if this
   * process or another one has meanwhile met the same host with another key.
   */
  remember(): void {
    const key = this.#fresh;
    this.#fresh = undefined;
    if (!key) return;
    const { files, name } = this.stop.hostKey;
    const [file = ''] = files;
    const what = `accepted the host key of ${this.stop.label}: ${fingerprintOf(key)} (${keyType(key)})`;
    try {
      const added = withKnownHostsLocked(file, () => this.#addIfUnknown(file, key));
      if (added) this.onNotice(`${what}, now in ${file}`, this.droplet);
    } catch (error) {
      if (!(error instanceof NotWritable)) throw error;
      if (!this.#isStillUnknown(key)) return;
      this.accepted.push(...parseKnownHosts(knownHostLine(name, key, false), 'accepted in this run'));
      this.onNotice(`${what}, for this run only: ${file} cannot be written (${error.message})`, this.droplet);
    }
  }

  /** The server has no key of a known type, so the handshake failed before it presented one. */
  otherType(): ShellError {
    return this.#refuse(
      `${this.stop.label} no longer has the host key that known_hosts contains for it (${this.#knownTypes()}).`,
      this.#removal(),
    );
  }

  #noUsableType(): ShellError {
    const { label, hostKey } = this.stop;
    return this.#refuse(
      `${label} is known only by host keys of types that are not used (${this.#knownTypes()}).`,
      `Add one of another type, if the droplet's console shows it: ssh-keyscan -t ed25519 ${this.stop.host} >> ${hostKey.files[0]}; or allow the type: HostKeyAlgorithms.`,
    );
  }

  /** `ssh-ed25519 at FILE:LINE`, of each known key. */
  #knownTypes(): string {
    const { name } = this.stop.hostKey;
    const known = this.#all().filter((entry) => judgeHostKey([entry], name, entry.key).kind === 'known');
    return known.map((entry) => `${entry.type} at ${entry.place}`).join(', ');
  }

  #addIfUnknown(file: string, key: Buffer): boolean {
    const { name, hashed } = this.stop.hostKey;
    this.#entries = this.#readFiles();
    if (!this.#isStillUnknown(key)) return false;
    const own = parseKnownHosts(readFile(file, this.droplet), file);
    appendKnownHost(file, knownHostLine(name, key, hashed ?? own.some(({ hosts }) => 'hash' in hosts)));
    this.accepted.push(...parseKnownHosts(knownHostLine(name, key, false), file));
    return true;
  }

  /** False also when the key is refused now. */
  #isStillUnknown(key: Buffer): boolean {
    const verdict = judgeHostKey(this.#all(), this.stop.hostKey.name, key);
    if (verdict.kind === 'changed') this.refusal = this.#changed(verdict.expected);
    if (verdict.kind === 'revoked') this.refusal = this.#revoked(verdict.entry);
    return verdict.kind === 'unknown';
  }

  #readFiles(): KnownHost[] {
    const { files, globalFiles, revokedFiles } = this.stop.hostKey;
    const known = [...files, ...globalFiles].flatMap((file) => parseKnownHosts(readFile(file, this.droplet), file));
    return [...known, ...revokedFiles.flatMap((file) => this.#readRevoked(file))];
  }

  /** RevokedHostKeys: lines of public keys, or a key revocation list (ssh-keygen -k). */
  #readRevoked(file: string): KnownHost[] {
    const text = readFile(file, this.droplet, { required: true });
    if (text.startsWith('SSHKRL')) {
      const message = `RevokedHostKeys ${file} is a key revocation list, which is not supported: no host key can be checked.`;
      throw this.#refuse(message, 'List the revoked keys as text, one public key per line.');
    }
    const lines = text.split('\n').map((line) => (/^\s*(#|$)/.test(line) ? '' : `@revoked * ${line.trim()}`));
    return parseKnownHosts(lines.join('\n'), file);
  }

  #all(): KnownHost[] {
    return [...this.#entries, ...this.accepted];
  }

  #unknown(key: Buffer): ShellError {
    const { host, port, hostKey } = this.stop;
    const type = keyType(key).replace(/^ssh-|-sha2-nistp\d+$/g, '');
    const scan = `ssh-keyscan -t ${type} -p ${port} ${host}`;
    // ssh-keyscan writes the address: an entry under an alias (HostKeyAlias) has to be renamed.
    const add = hostKey.name.includes(host.toLowerCase()) ? scan : `${scan} | sed 's/^[^ ]*/${hostKey.name}/'`;
    return this.#refuse(
      `The host key of ${this.stop.label} is not in known_hosts, and ${hostKey.strictBecause}. It presented ${this.fingerprint} (${keyType(key)}).`,
      `If the droplet's console shows that fingerprint (ssh-keygen -lf /etc/ssh/ssh_host_${type}_key.pub), run: ${add} >> ${hostKey.files[0]}`,
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
      'Give the server a new host key before you use it again.',
    );
  }

  #certificateNeeded(authority: KnownHost): ShellError {
    const { host, port, hostKey, label } = this.stop;
    return this.#refuse(
      `${authority.place} trusts a certificate authority for ${label}: host certificates are not supported, and its plain key is not in known_hosts.`,
      `If the droplet's console shows the same key (cat /etc/ssh/ssh_host_ed25519_key.pub), run: ssh-keyscan -t ed25519 -p ${port} ${host} >> ${hostKey.files[0]}`,
    );
  }

  #removal(): string {
    const { files, globalFiles, name } = this.stop.hostKey;
    const removal = [...files, ...globalFiles]
      .filter(
        (file) => judgeHostKey(parseKnownHosts(readFile(file, this.droplet), file), name, NO_KEY).kind === 'changed',
      )
      .map((file) => `ssh-keygen -R ${quote(name)} -f ${quote(file)}`)
      .join(' && ');
    return `Only if the droplet was rebuilt, or its address now belongs to another one: ${removal}. Otherwise someone may be intercepting the connection.`;
  }

  #refuse(message: string, hint: string): ShellError {
    return new ShellError('host-key', 'not-applied', message, { droplet: this.droplet, hint });
  }
}

const NO_KEY = Buffer.alloc(0);

/** A file that is not there is empty. Throws ShellError host-key. */
function readFile(file: string, droplet: string, { required = false } = {}): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (!required && (code === 'ENOENT' || code === 'ENOTDIR')) return '';
    throw new ShellError(
      'host-key',
      'not-applied',
      `${file} cannot be read (${code}), so no host key can be checked.`,
      {
        source: 'user',
        droplet,
        hint: "Make the file readable, or name another by ssh.known_hosts in do-deploy's configuration file.",
      },
    );
  }
}
