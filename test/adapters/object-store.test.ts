import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createObjectStore } from '../../src/adapters/object-store.js';
import { Secret } from '../../src/config/secret.js';
import type { Clock } from '../../src/ports.js';
import { ObjectStorage } from '../support/object-storage.js';

const WRITER = { accessKey: 'writer', secretKey: 'writers-secret' };
const READER = { accessKey: 'reader', secretKey: 'readers-secret', readOnly: true };

let storage: ObjectStorage;
let waits: number[];
beforeEach(async () => {
  storage = await ObjectStorage.start({ bucket: 'releases', users: [WRITER, READER] });
  waits = [];
});
afterEach(() => storage.stop());

/** The time is real, because the storage compares it with its own; waits are not. */
const clock: Clock = {
  now: () => Date.now(),
  sleep: async (ms) => {
    waits.push(ms);
  },
};

function open(user: { accessKey: string; secretKey: string }, changes: { bucket?: string; region?: string } = {}) {
  const writer = { accessKey: user.accessKey, secretKey: new Secret(user.secretKey) };
  const store = createObjectStore(
    { endpoint: storage.url, bucket: 'releases', region: 'us-east-1', writer, ...changes },
    clock,
  );
  if (store === undefined) throw new Error('there are keys');
  return store;
}

describe('an object storage', () => {
  it('keeps objects', async () => {
    const store = open(WRITER);
    const content = Buffer.from([0, 1, 255, 10]);
    expect(await store.get('a/b.c-d_e', 100)).toBeUndefined();
    expect(await store.size('a/b.c-d_e')).toBeUndefined();
    await store.put('a/b.c-d_e', content);
    expect(await store.get('a/b.c-d_e', 100)).toEqual(content);
    expect(await store.size('a/b.c-d_e')).toBe(4);
    await store.remove('a/b.c-d_e');
    await store.remove('a/b.c-d_e');
    expect(storage.objects.size).toBe(0);
  });

  it.each([
    ['a wrong secret', { ...WRITER, secretKey: 'another' }, {}, 'HTTP 403 SignatureDoesNotMatch'],
    ['an unknown key', { ...WRITER, accessKey: 'nobody' }, {}, 'HTTP 403 InvalidAccessKeyId'],
    ['a key that may only read', READER, {}, 'HTTP 403 AccessDenied'],
    ['another region', WRITER, { region: 'fra1' }, 'HTTP 403 AuthorizationHeaderMalformed'],
    ['no such bucket', WRITER, { bucket: 'other' }, 'HTTP 404 NoSuchBucket'],
  ])('refuses %s', async (_what, user, changes, reason) => {
    const error = await open(user, changes)
      .put('a', Buffer.from('x'))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'storage-failed', message: expect.stringContaining(reason) });
    expect(String(error)).not.toContain(user.secretKey);
    expect(storage.objects.size).toBe(0);
  });

  it('a missing bucket is not a missing object', async () => {
    await expect(open(WRITER, { bucket: 'other' }).get('a', 10)).rejects.toThrow(/NoSuchBucket/);
  });

  it('repeats what failed on the other side, three times', async () => {
    let failures = 2;
    storage.fault = () => (failures-- > 0 ? 503 : undefined);
    await open(WRITER).put('a', Buffer.from('x'));
    expect(storage.log).toEqual(['PUT a 503', 'PUT a 503', 'PUT a 200']);
    storage.fault = () => 500;
    await expect(open(WRITER).put('a', Buffer.from('y'))).rejects.toThrow(/HTTP 500 Planted/);
    expect(storage.objects.get('a')?.toString()).toBe('x');
    expect(waits).toEqual([1_000, 2_000, 1_000, 2_000]);
  });

  it('reads no more than it may', async () => {
    storage.objects.set('a', Buffer.alloc(11));
    await expect(open(WRITER).get('a', 10)).rejects.toThrow(/more than 10 bytes/);
  });

  it('names a server that does not answer', async () => {
    const store = open(WRITER);
    await storage.stop();
    await expect(store.get('a', 10)).rejects.toThrow(/cannot be read: .*ECONNREFUSED/);
  });

  it('ends an upload that is interrupted', async () => {
    const interrupted = AbortSignal.abort();
    await expect(open(WRITER).put('a', Buffer.from('x'), interrupted)).rejects.toThrow(/interrupted/);
    expect(waits).toEqual([]);
  });
});
