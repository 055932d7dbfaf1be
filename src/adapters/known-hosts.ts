/** OpenSSH's known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): parse, look up, append. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { matchesPatterns } from './ssh/patterns.js';

export interface KnownHost {
  /** `file:line`, for people. */
  place: string;
  marker?: 'revoked' | 'cert-authority';
  /** Patterns, or the salt and hash of one name. */
  hosts: { patterns: string[] } | { salt: Buffer; hash: Buffer };
  type: string;
  key: Buffer;
}

export type Verdict =
  | { kind: 'known' }
  | { kind: 'unknown' }
  /** The host is known by other keys: `expected` has at least one. */
  | { kind: 'changed'; expected: KnownHost[] }
  | { kind: 'revoked'; entry: KnownHost };

/**
 * Signature algorithms for each type of key that ssh2 can verify. SHA-1 signatures (`ssh-rsa` as an algorithm) are left
 * out: every server since OpenSSH 7.2 signs with the same RSA key by SHA-2.
 */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};

/** The entries of one file. Comments and malformed lines are passed over, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  return text.split('\n').flatMap((line, index) => parseLine(line.trim(), `${file}:${index + 1}`) ?? []);
}

function parseLine(line: string, place: string): KnownHost | undefined {
  if (line === '' || line.startsWith('#')) return undefined;
  const words = line.split(/[ \t]+/);
  const marker = words[0]?.startsWith('@') ? words.shift()?.slice(1) : undefined;
  if (marker !== undefined && marker !== 'revoked' && marker !== 'cert-authority') return undefined;
  const [names, type, encoded] = words;
  if (!names || !type || !encoded) return undefined;
  const hosts = parseHosts(names);
  const key = Buffer.from(encoded, 'base64');
  if (!hosts || keyType(key) !== type) return undefined;
  return { place, marker, hosts, type, key };
}

function parseHosts(names: string): KnownHost['hosts'] | undefined {
  if (!names.startsWith('|')) return { patterns: names.split(',') };
  const [, version, salt, hash] = names.split('|');
  if (version !== '1' || !salt || !hash) return undefined;
  return { salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

/** A host as known_hosts writes it: `[host]:port` unless the port is 22. */
export function knownName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** The first string in an SSH key blob; '' when it is no such thing. */
export function keyType(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0;
  return key.length >= 4 + length ? key.toString('latin1', 4, 4 + length) : '';
}

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** What the entries say of a key that `name` presented. A revoked key is revoked wherever it is listed. */
export function judgeHostKey(entries: readonly KnownHost[], name: string, key: Buffer): Verdict {
  const mine = entries.filter((entry) => isFor(entry, name));
  const revoked = mine.find((entry) => entry.marker === 'revoked' && entry.key.equals(key));
  if (revoked) return { kind: 'revoked', entry: revoked };
  const expected = mine.filter((entry) => entry.marker === undefined);
  if (expected.some((entry) => entry.key.equals(key))) return { kind: 'known' };
  return expected.length === 0 ? { kind: 'unknown' } : { kind: 'changed', expected };
}

/**
 * What to offer the server, so that it presents a key that is known and not one of its other types. Undefined (anything)
 * for an unknown host.
 */
export function hostKeyAlgorithms(entries: readonly KnownHost[], name: string): string[] | undefined {
  const mine = entries.filter((entry) => entry.marker === undefined && isFor(entry, name));
  const algorithms = new Set(mine.flatMap((entry) => ALGORITHMS[entry.type] ?? []));
  return algorithms.size === 0 ? undefined : [...algorithms];
}

export function trustsAuthority(entries: readonly KnownHost[], name: string): boolean {
  return entries.some((entry) => entry.marker === 'cert-authority' && isFor(entry, name));
}

function isFor({ hosts }: KnownHost, name: string): boolean {
  if ('patterns' in hosts) return matchesPatterns(hosts.patterns, [name]);
  return hashName(name, hosts.salt).equals(hosts.hash);
}

function hashName(name: string, salt: Buffer): Buffer {
  return createHmac('sha1', salt).update(name).digest();
}

/** The line for a new host, without its line break. `hashed`: in the form of `HashKnownHosts yes`. */
export function knownHostLine(name: string, key: Buffer, hashed: boolean): string {
  const salt = randomBytes(20);
  const host = hashed ? `|1|${salt.toString('base64')}|${hashName(name, salt).toString('base64')}` : name;
  return `${host} ${keyType(key)} ${key.toString('base64')}`;
}

/**
 * Appends a line, in one write so that neither other connections nor other processes can tear it. Creates the file
 * (0600) and its folder (0700). Throws what the file system throws.
 */
export function appendKnownHost(file: string, line: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const handle = openSync(file, 'a+', 0o600);
  try {
    const { size } = fstatSync(handle);
    const last = Buffer.alloc(1, '\n');
    if (size > 0) readSync(handle, last, 0, 1, size - 1);
    // A file edited by hand may lack its last line break: the new line must not become part of that line.
    writeSync(handle, `${last.toString() === '\n' ? '' : '\n'}${line}\n`);
  } finally {
    closeSync(handle);
  }
}
