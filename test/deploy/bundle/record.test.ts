import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type BundleRecord, folderOf, isOf, readRecord, signedRecord } from '../../../src/deploy/bundle/record.js';

const DEPLOYERS = generateKeyPairSync('ed25519');
const THIEF = generateKeyPairSync('ed25519');

const RECORD: BundleRecord = {
  app: 'shop',
  environment: 'production',
  role: '-',
  sequence: 7,
  release: '20261121T074500Z-v2',
  hash: 'a'.repeat(40),
  object: `bundle-${'b'.repeat(16)}`,
  size: 123,
  sha256: 'c'.repeat(64),
  encrypted: 'yes',
};
const SIGNED = signedRecord(RECORD, DEPLOYERS.privateKey);

describe('the pointer to a bundle', () => {
  it('is read as it was signed', () => {
    expect(readRecord(SIGNED, DEPLOYERS.publicKey)).toEqual(RECORD);
  });

  it('is not believed when any of its bytes is another', () => {
    for (let at = 0; at < SIGNED.length; at += 1) {
      const altered = Buffer.from(SIGNED);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(readRecord(altered, DEPLOYERS.publicKey), `byte ${at}`).toBeUndefined();
    }
  });

  it('is not believed when it is cut off, or longer', () => {
    for (let bytes = 0; bytes < SIGNED.length; bytes += 1) {
      expect(readRecord(SIGNED.subarray(0, bytes), DEPLOYERS.publicKey)).toBeUndefined();
    }
    expect(readRecord(Buffer.concat([SIGNED, Buffer.from('\n')]), DEPLOYERS.publicKey)).toBeUndefined();
    expect(readRecord(Buffer.concat([Buffer.from('\n'), SIGNED]), DEPLOYERS.publicKey)).toBeUndefined();
  });

  it('is not believed when somebody else has signed it', () => {
    expect(readRecord(signedRecord(RECORD, THIEF.privateKey), DEPLOYERS.publicKey)).toBeUndefined();
  });

  it.each([
    { object: '../other' },
    { release: '../../etc' },
    { sequence: 0 },
    { size: 0 },
    { encrypted: 'perhaps' as 'yes' },
    { app: 'shop\nrole web' },
  ])('is of the known form, whoever signed it: %o', (changes) => {
    expect(
      readRecord(signedRecord({ ...RECORD, ...changes }, DEPLOYERS.privateKey), DEPLOYERS.publicKey),
    ).toBeUndefined();
  });

  it('is that of one app, environment and role', () => {
    const shop = { app: 'shop', environment: 'production' };
    expect(isOf(RECORD, shop)).toBe(true);
    expect(isOf(RECORD, { ...shop, app: 'blog' })).toBe(false);
    expect(isOf(RECORD, { ...shop, environment: 'staging' })).toBe(false);
    expect(isOf(RECORD, { ...shop, role: 'web' })).toBe(false);
    expect(isOf({ ...RECORD, role: 'web' }, { ...shop, role: 'web' })).toBe(true);
  });
});

it('each fleet has a folder of its own', () => {
  const shop = { app: 'shop', environment: 'production' };
  expect(folderOf({ prefix: '' }, shop)).toBe('shop/production/');
  expect(folderOf({ prefix: 'a/b/' }, { ...shop, role: 'web' })).toBe('a/b/shop/production/web/');
});
