import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Publishing, publishBundle } from '../../../src/deploy/boot/publish-bundle.js';
import { compareBundle } from '../../../src/deploy/bundle/compare-bundle.js';
import { bundleKeys } from '../../../src/deploy/bundle/keys.js';
import { readRecord, signedRecord } from '../../../src/deploy/bundle/record.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { packFor } from '../../../src/deploy/release/archive.js';
import { releaseHash } from '../../../src/deploy/release/release-hash.js';
import type { Run } from '../../../src/deploy/steps/run.js';
import { DeployError } from '../../../src/errors.js';
import type { ObjectStore } from '../../../src/ports.js';
import { BUNDLE, DRAFT, privateKey, RELEASE, settings } from './samples.js';

const POINTER = 'shop/production/current';
const HASH = releaseHash(RELEASE);
const verifying = createPublicKey(privateKey);

let objects: Map<string, Buffer>;
let log: string[];
let warnings: string[];
/** Of the storage, by what is asked: `PUT shop/production/current`. */
let fault: (asked: string) => boolean;
let holdsLease: boolean;
let archive: Buffer;
beforeEach(async () => {
  objects = new Map();
  log = [];
  warnings = [];
  fault = () => false;
  holdsLease = true;
  archive = (await packFor(DRAFT, new Map())).archive as Buffer;
});

const storage: ObjectStore = {
  address: 'https://fra1.example.com/releases',
  get: async (key) => ask('GET', key, objects.get(key)),
  size: async (key) => ask('HEAD', key, objects.get(key)?.length),
  put: async (key, content) => void ask('PUT', key, () => objects.set(key, content)),
  remove: async (key) => void ask('DELETE', key, () => objects.delete(key)),
};

function ask<T>(method: string, key: string, answer: T): T {
  const asked = `${method} ${key}`;
  if (fault(asked)) throw new DeployError('storage-failed', `${key} failed.`);
  log.push(asked);
  if (typeof answer === 'function') answer();
  return answer;
}

/** A droplet that runs the release, and prints its files as an archive. */
function aMember(): Member {
  const survey = {
    current: RELEASE.id,
    releases: [RELEASE],
    checksums: new Map(DRAFT.files.map(({ path, sha256 }) => [path, sha256])),
  };
  const run = async () => ({ code: 0, stdout: archive.toString('base64'), stderr: '' });
  return { droplet: { id: 1 }, host: { name: 'web-1' }, connection: { run }, survey } as unknown as Member;
}

function publishing(changes: Partial<Run['settings']> = {}, anchors = [{ sequence: 7, hash: HASH }]): Publishing {
  const reporter = {
    report: (event: { type: string; level?: string; message?: string }) => {
      if (event.type === 'notice' && event.level === 'warning') warnings.push(event.message ?? '');
    },
  };
  const lease = {
    ensure: async () => {
      if (!holdsLease) throw new DeployError('lease-lost', 'The lock was lost.');
    },
  };
  const run = {
    ports: { clock: { now: () => 0 }, reporter, storage },
    settings: settings(changes),
    target: { isFleet: true },
    lease,
  } as unknown as Run;
  return {
    run,
    members: [aMember()],
    anchors: { read: async () => anchors },
    release: RELEASE,
    signal: new AbortController().signal,
  };
}

const puts = () => log.filter((line) => line.startsWith('PUT'));
const current = () => readRecord(objects.get(POINTER) ?? Buffer.of(), verifying);

describe('the bundle of the release that is recorded for the fleet', () => {
  it('is uploaded before the signed pointer to it, once', async () => {
    await publishBundle(publishing());
    expect(puts()).toEqual([expect.stringMatching(/^PUT shop\/production\/bundle-[0-9a-f]{16}$/), `PUT ${POINTER}`]);
    const record = current();
    expect(record).toMatchObject({ sequence: 7, release: RELEASE.id, hash: HASH, encrypted: 'yes', role: '-' });
    expect(objects.get(`shop/production/${record?.object}`)).toHaveLength(record?.size ?? 0);
    await publishBundle(publishing());
    expect(puts()).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it('is uploaded again for a later rollout, another choice of secrets or another key; the one before is removed', async () => {
    await publishBundle(publishing());
    await publishBundle(publishing({}, [{ sequence: 9, hash: HASH }]));
    expect(current()).toMatchObject({ sequence: 9 });
    await publishBundle(publishing({ bundle: { ...BUNDLE, secrets: 'leave-out' } }, [{ sequence: 9, hash: HASH }]));
    expect(current()).toMatchObject({ encrypted: 'no' });
    expect([...objects.keys()].sort()).toEqual([`shop/production/${current()?.object}`, POINTER].sort());
    const signingKey = generateKeyPairSync('ed25519').privateKey;
    await publishBundle(publishing({ bundle: { ...BUNDLE, signingKey } }));
    expect(readRecord(objects.get(POINTER) ?? Buffer.of(), createPublicKey(signingKey))).toBeDefined();
  });

  it.each(['missing', 'cut off'])('is uploaded again where it is %s', async (how) => {
    await publishBundle(publishing());
    const key = `shop/production/${current()?.object}`;
    if (how === 'missing') objects.delete(key);
    else objects.set(key, Buffer.from('x'));
    await publishBundle(publishing());
    expect(puts()).toHaveLength(4);
    expect(objects.get(`shop/production/${current()?.object}`)).toHaveLength(current()?.size ?? 0);
  });

  it('is none where another release is recorded, or nothing: a canary is not the release of the fleet', async () => {
    await publishBundle(publishing({}, [{ sequence: 8, hash: 'f'.repeat(40) }]));
    await publishBundle(publishing({}, []));
    const { run, ...rest } = publishing();
    await publishBundle({ ...rest, run: { ...run, target: { ...run.target, isFleet: false } } });
    expect(log).toEqual([]);
  });

  it.each([
    [
      'the bundle cannot be uploaded',
      () => (fault = (asked: string) => asked.includes('PUT') && asked.includes('bundle-')),
    ],
    ['the pointer cannot be uploaded', () => (fault = (asked: string) => asked === `PUT ${POINTER}`)],
    ['the storage does not answer', () => (fault = () => true)],
    ['the lock was lost meanwhile', () => (holdsLease = false)],
    ['a file on the droplet is another', () => (archive = Buffer.from('x'))],
  ])('leaves the older one whole where %s, and says what to do', async (_what, break_) => {
    const old = { ...RELEASE, id: '20261120T000000Z-v0' };
    const record = { ...known(), release: old.id, hash: releaseHash(old), sequence: 6 };
    objects.set(POINTER, signedRecord(record, privateKey));
    objects.set(`shop/production/${record.object}`, Buffer.alloc(record.size));
    const before = new Map(objects);
    break_();
    await publishBundle(publishing());
    expect(objects.get(POINTER)).toEqual(before.get(POINTER));
    expect(objects.get(`shop/production/${record.object}`)).toHaveLength(record.size);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^The bundle of release \S+ was not uploaded, .* To upload it: do-deploy adopt production$/,
      ),
    ]);
  });
});

function known() {
  return {
    app: 'shop',
    environment: 'production',
    role: '-',
    sequence: 7,
    release: RELEASE.id,
    hash: HASH,
    object: `bundle-${'a'.repeat(16)}`,
    size: 10,
    sha256: 'b'.repeat(64),
    encrypted: 'yes' as const,
  };
}

describe('compared with the release of the fleet', () => {
  const compare = (sequence = 7) => compareBundle({ storage }, settings(), RELEASE, [{ sequence, hash: HASH }]);
  const put = (changes: object, key = privateKey) => {
    const record = { ...known(), ...changes };
    objects.set(POINTER, signedRecord(record, key));
    objects.set(`shop/production/${record.object}`, Buffer.alloc(10));
  };

  it('it is the same, or what differs is said', async () => {
    expect(await compare()).toBe('cannot boot droplets: there is none yet');
    put({});
    expect(await compare()).toBeUndefined();
    expect(await compare(8)).toMatch(/^is older than the last rollout of/);
    put({ hash: 'c'.repeat(40), release: 'r0' });
    expect(await compare()).toBe(`holds r0 instead of ${RELEASE.id}: a droplet that boots now gets that`);
    put({ size: 11 });
    expect(await compare()).toMatch(/^cannot boot droplets: \S+ has another size$/);
    put({ app: 'blog' });
    expect(await compare()).toMatch(/^cannot boot droplets: \S+ is that of blog, production$/);
    put({}, generateKeyPairSync('ed25519').privateKey);
    expect(await compare()).toMatch(/^cannot boot droplets: \S+ is not signed with bundle\.signing_key$/);
    fault = () => true;
    expect(await compare()).toBe(`cannot be read: ${POINTER} failed`);
  });

  it('nothing is said where its keys are not set', async () => {
    fault = () => true;
    const without = settings({ bundle: { ...BUNDLE, signingKey: undefined } });
    expect(await compareBundle({ storage }, without, RELEASE, [])).toBeUndefined();
    expect(await compareBundle({}, settings(), RELEASE, [])).toBeUndefined();
    expect(await compareBundle({ storage }, settings({ bundle: undefined }), RELEASE, [])).toBeUndefined();
  });
});

it('the key that decrypts follows from the signing key, and differs with it', () => {
  const other = { signingKey: generateKeyPairSync('ed25519').privateKey };
  const passphrases = [BUNDLE, BUNDLE, other].map((one) => bundleKeys(one)?.passphrase);
  expect(passphrases[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(passphrases[0]).toBe(passphrases[1]);
  expect(passphrases[0]).not.toBe(passphrases[2]);
});
