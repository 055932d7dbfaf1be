/**
 * The pointer to the current bundle: lines of words, signed. It is one object of the storage, so it is replaced as a whole,
 * and it names the bundle by its hash, so that its signature covers every byte that a droplet runs.
 *
 *   do-deploy bundle 1
 *   app shop
 *   …
 *   signature BASE64
 */
import { type KeyObject, sign, verify } from 'node:crypto';
import type { BundleSettings, Settings } from '../../config/settings.js';
import { RELEASE_HASH_LENGTH } from '../release/release-hash.js';

export interface BundleRecord {
  app: string;
  environment: string;
  /** '-' without roles. */
  role: string;
  /** That of the release's anchor: it counts rollouts. A droplet takes none that is lower than that of its user data. */
  sequence: number;
  /** Id of the release. */
  release: string;
  /** That of `releaseHash`. */
  hash: string;
  /** The bundle, beside the pointer. */
  object: string;
  /** Of the bundle, in bytes. */
  size: number;
  sha256: string;
  encrypted: 'yes' | 'no';
}

export const FIRST_LINE = 'do-deploy bundle 1';

/** Its values, with what they may be. A value has no blanks. */
const FIELDS: Record<keyof BundleRecord, RegExp> = {
  app: /^[a-z0-9][a-z0-9_-]*$/,
  environment: /^[a-z0-9][a-z0-9-]*$/,
  role: /^(-|[a-z0-9][a-z0-9-]*)$/,
  sequence: /^[1-9]\d{0,14}$/,
  release: /^[A-Za-z0-9_][A-Za-z0-9._-]*$/,
  hash: new RegExp(`^[0-9a-f]{${RELEASE_HASH_LENGTH}}$`),
  object: /^bundle-[0-9a-f]{16}$/,
  size: /^[1-9]\d{0,11}$/,
  sha256: /^[0-9a-f]{64}$/,
  encrypted: /^(yes|no)$/,
};

const NAMES = Object.keys(FIELDS) as (keyof BundleRecord)[];

/** More is no pointer. */
export const MAX_POINTER_BYTES = 4_096;

export function signedRecord(record: BundleRecord, key: KeyObject): Buffer {
  const text = Buffer.from(textOf(record));
  return Buffer.concat([text, Buffer.from(`signature ${sign(null, text, key).toString('base64')}\n`)]);
}

function textOf(values: Readonly<Record<string, unknown>> | BundleRecord): string {
  const known = new Map(Object.entries(values));
  return [FIRST_LINE, ...NAMES.map((name) => `${name} ${known.get(name)}`), ''].join('\n');
}

/** Undefined unless a deployer has signed exactly these bytes. */
export function readRecord(bytes: Buffer, key: KeyObject): BundleRecord | undefined {
  const at = bytes.lastIndexOf('\nsignature ') + 1;
  const [, signature] = /^signature ([A-Za-z0-9+/]{86}==)\n$/.exec(bytes.toString('latin1', at)) ?? [];
  const signed = bytes.subarray(0, at);
  if (at === 0 || signature === undefined || !verify(null, signed, key, Buffer.from(signature, 'base64'))) {
    return undefined;
  }
  const text = signed.toString('utf8');
  const values = Object.fromEntries(text.split('\n').map((line) => line.split(' ', 2) as [string, string?]));
  // Nothing more than these lines, in their order.
  if (!NAMES.every((name) => FIELDS[name].test(values[name] ?? '')) || text !== textOf(values)) return undefined;
  const own = Object.fromEntries(NAMES.map((name) => [name, values[name]])) as unknown as BundleRecord;
  return { ...own, sequence: Number(own.sequence), size: Number(own.size) };
}

type Scope = Pick<Settings, 'app' | 'environment' | 'role'>;

/** The folder in the bucket of one fleet's pointer and bundle; it ends with a slash. */
export function folderOf({ prefix }: Pick<BundleSettings, 'prefix'>, { app, environment, role }: Scope): string {
  return `${prefix}${[app, environment, ...(role === undefined ? [] : [role])].join('/')}/`;
}

/** The name of the pointer in that folder. */
export const POINTER = 'current';

export function isOf(record: BundleRecord, { app, environment, role }: Scope): boolean {
  return record.app === app && record.environment === environment && record.role === (role ?? '-');
}
