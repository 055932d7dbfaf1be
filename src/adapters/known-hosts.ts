/** OpenSSH's known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): parse, look up, append. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
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
  /** The host is known, but not by this key: `expected` has at least one entry. */
  | { kind: 'changed'; expected: KnownHost[] }
  | { kind: 'revoked'; entry: KnownHost };

/** The entries of a file. Comments and malformed lines are skipped, as in OpenSSH. */
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

/** The first string of an SSH key blob; '' if it has none. */
export function keyType(key: Buffer): string {
  const length = key.length >= 4 ? key.readUInt32BE(0) : 0;
  return key.length >= 4 + length ? key.toString('latin1', 4, 4 + length) : '';
}

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Judges a key that `name` presented. A revoked key is revoked in whichever file it is listed. */
export function judgeHostKey(entries: readonly KnownHost[], name: string, key: Buffer): Verdict {
  const mine = entries.filter((entry) => isFor(entry, name));
  const revoked = mine.find((entry) => entry.marker === 'revoked' && entry.key.equals(key));
  if (revoked) return { kind: 'revoked', entry: revoked };
  const expected = mine.filter((entry) => entry.marker === undefined);
  if (expected.some((entry) => entry.key.equals(key))) return { kind: 'known' };
  return expected.length === 0 ? { kind: 'unknown' } : { kind: 'changed', expected };
}

/**
 * Narrows what is offered to a server to the types of key that it is known by, so that it presents one of these.
 * @param offered signature algorithms, in order; an RSA key signs by several
 * @returns undefined for an unknown host
 */
export function hostKeyAlgorithms(
  entries: readonly KnownHost[],
  name: string,
  offered: readonly string[],
): string[] | undefined {
  const types = new Set(
    entries.filter((entry) => entry.marker === undefined && isFor(entry, name)).map(({ type }) => type),
  );
  if (types.size === 0) return undefined;
  return offered.filter((algorithm) => types.has(algorithm.startsWith('rsa-sha2-') ? 'ssh-rsa' : algorithm));
}

/** The certificate authority that is trusted for a host, if there is one. */
export function authorityFor(entries: readonly KnownHost[], name: string): KnownHost | undefined {
  return entries.find((entry) => entry.marker === 'cert-authority' && isFor(entry, name));
}

function isFor({ hosts }: KnownHost, name: string): boolean {
  if ('patterns' in hosts) return matchesPatterns(hosts.patterns, [name]);
  return hashName(name, hosts.salt).equals(hosts.hash);
}

function hashName(name: string, salt: Buffer): Buffer {
  return createHmac('sha1', salt).update(name).digest();
}

/** The line of a new host, without a line break. `hashed`: in the form of `HashKnownHosts yes`. */
export function knownHostLine(name: string, key: Buffer, hashed: boolean): string {
  const salt = randomBytes(20);
  const host = hashed ? `|1|${salt.toString('base64')}|${hashName(name, salt).toString('base64')}` : name;
  return `${host} ${keyType(key)} ${key.toString('base64')}`;
}

/** The folder or file is read-only, or another process holds the lock for too long. */
export class NotWritable extends Error {}

const LOCK_WITHIN_MS = 2000;
const LOCK_POLL_MS = 10;
/** How long to wait before the lock's age is looked up. */
const STALE_CHECK_MS = 500;
/** A lock is held for the time of one read and one write: an older one was left by a process that died. */
const STALE_LOCK_MS = 10_000;

/**
 * Runs the work while no other do-deploy changes the file: reading it and appending to it are one step then. Creates the
 * folder (0700). Synchronous, because ssh2 cannot wait in the middle of a handshake. Throws NotWritable.
 */
export function withKnownHostsLocked<T>(file: string, work: () => T): T {
  const lock = `${file}.lock`;
  acquire(lock);
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function acquire(lock: string): void {
  try {
    mkdirSync(dirname(lock), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new NotWritable(reasonOf(error));
  }
  for (let waited = 0; ; waited += LOCK_POLL_MS) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new NotWritable(reasonOf(error));
      if (waited >= LOCK_WITHIN_MS) throw new NotWritable(`${lock} is held by another process`);
      if (waited === STALE_CHECK_MS && ageOf(lock) > STALE_LOCK_MS) rmSync(lock, { force: true });
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
    }
  }
}

/** How long ago the file was created, in ms, by the clock that dates files; 0 when it is gone. */
function ageOf(lock: string): number {
  const probe = `${lock}.${randomBytes(4).toString('hex')}`;
  try {
    closeSync(openSync(probe, 'wx', 0o600));
    return statSync(probe).mtimeMs - statSync(lock).mtimeMs;
  } catch {
    return 0;
  } finally {
    rmSync(probe, { force: true });
  }
}

/**
 * Appends a line in one write, so that another process's line and this one cannot be mixed. Creates the file (0600).
 * Throws NotWritable.
 */
export function appendKnownHost(file: string, line: string): void {
  try {
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
  } catch (error) {
    throw new NotWritable(reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
