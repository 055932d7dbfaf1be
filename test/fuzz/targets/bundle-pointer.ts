/** Pointers to bundles: only what deployers signed is read, and of that only what has exactly the known form. */
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { readRecord, signedRecord } from '../../../src/deploy/bundle/record.js';
import { expectThat, target } from '../target.js';
import { spoiled } from '../words.js';

const { privateKey } = generateKeyPairSync('ed25519');
const publicKey = createPublicKey(privateKey);

const VALID = signedRecord(
  {
    ...{ app: 'shop', environment: 'production', role: 'web', sequence: 7, release: '20261121T074500Z-v2' },
    ...{
      hash: 'a'.repeat(40),
      object: `bundle-${'b'.repeat(16)}`,
      size: 123,
      sha256: 'c'.repeat(64),
      encrypted: 'yes',
    },
  },
  privateKey,
).toString();
const SIGNED = VALID.slice(0, VALID.indexOf('signature '));
const WORDS = [
  '\n',
  ' ',
  '\nrole -\n',
  'app blog\n',
  'signature ',
  '\nsignature AAAA\n',
  '../',
  '\0',
  '__proto__ x\n',
  '\r',
];

export const bundlePointer = target({
  name: 'bundle-pointer',
  runs: 500,
  inputs: fc.record({ whole: spoiled(fc.constant(VALID), WORDS), body: spoiled(fc.constant(SIGNED), WORDS) }),
  check({ whole, body }) {
    const read = readRecord(Buffer.from(whole), publicKey);
    expectThat(
      (read !== undefined) === (whole === VALID),
      'a pointer that was changed is believed, or one that was not is refused',
    );
    const bytes = Buffer.from(body);
    const signature = `signature ${sign(null, bytes, privateKey).toString('base64')}\n`;
    const own = readRecord(Buffer.concat([bytes, Buffer.from(signature)]), publicKey);
    if (own === undefined) return;
    const again = signedRecord(own, privateKey).toString();
    expectThat(again === body + signature, `it is read as another one: ${again}`);
  },
});
