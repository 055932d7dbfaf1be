/** `bundle:`: the object storage that keeps the release for droplets that boot by themselves. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { MAKE_SIGNING_KEY } from '../../src/config/sections/bundle.js';
import { signingKeyIn } from '../../src/config/signing-key.js';
import { COMPOSE, createProject, deployYml, load, problemsOf } from './project-folder.js';

const { privateKey } = generateKeyPairSync('ed25519');
const DER = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
const PEM = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

const ROLLS = { readLayers: async () => [] };
const BUCKET = 'endpoint: https://fra1.example.com/, bucket: releases';
const KEYS = 'access_key: AK, secret_key: $SECRET, signing_key: $SIGNING';
const ENV = { SECRET: 'storage-secret', SIGNING: DER };

function project(bundle: string): string {
  return createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(`bundle: { ${bundle} }`) });
}

describe('bundle', () => {
  it('has defaults, and masks what is secret', async () => {
    const { bundle, secrets } = await load(project(`${BUCKET}, ${KEYS}`), { ...ROLLS, env: ENV });
    expect(bundle).toMatchObject({
      place: 'config/deploy.yml:3',
      endpoint: 'https://fra1.example.com',
      bucket: 'releases',
      region: 'us-east-1',
      prefix: '',
      secrets: 'include',
      writer: { accessKey: 'AK' },
    });
    expect(bundle?.writer?.secretKey.reveal()).toBe('storage-secret');
    expect(secrets.map((secret) => secret.reveal())).toEqual(expect.arrayContaining(['storage-secret', DER]));
    expect(JSON.stringify(bundle)).not.toMatch(/storage-secret|MC4C/);
  });

  it.each(['a', 'a/', 'a/b-1'])('takes the prefix %s as a folder', async (prefix) => {
    const { bundle } = await load(project(`${BUCKET}, ${KEYS}, prefix: ${prefix}`), { ...ROLLS, env: ENV });
    expect(bundle?.prefix).toBe(`${prefix.replace(/\/$/, '')}/`);
  });

  it.each(['..', 'a/../b', '/a', 'a//b'])('refuses the prefix %s', async (prefix) => {
    const problems = await problemsOf(project(`${BUCKET}, ${KEYS}, prefix: ${prefix}`), { ...ROLLS, env: ENV });
    expect(problems).toEqual([expect.stringContaining('bundle.prefix must be a path')]);
  });

  it('names what is missing', async () => {
    expect(await problemsOf(project(`${BUCKET}, read_access_key: RK`), ROLLS)).toEqual([
      'config/deploy.yml:3: bundle has no access_key; write `access_key: $BUNDLE_ACCESS_KEY` below it',
      'config/deploy.yml:3: bundle has no secret_key; write `secret_key: $BUNDLE_SECRET_KEY` below it',
      'config/deploy.yml:3: bundle has no signing_key; write `signing_key: $BUNDLE_SIGNING_KEY` below it',
      'config/deploy.yml:3: bundle has no read_secret_key; write `read_secret_key: $BUNDLE_READ_SECRET_KEY` below it',
    ]);
  });

  it('names a variable that is not set, only in runs that change the fleet', async () => {
    const root = project(`${BUCKET}, ${KEYS}`);
    expect(await problemsOf(root, ROLLS)).toHaveLength(2);
    const { bundle } = await load(root, { needs: 'fleet', env: { SIGNING: DER } });
    expect(bundle).toMatchObject({ bucket: 'releases', writer: undefined });
    expect(bundle?.signingKey?.equals(privateKey), 'read where it is set').toBe(true);
  });

  it('refuses a key of another kind', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'pem', type: 'pkcs8' });
    const env = { ...ENV, SIGNING: rsa.toString() };
    expect(await problemsOf(project(`${BUCKET}, ${KEYS}`), { ...ROLLS, env })).toEqual([
      `config/deploy.yml:3: bundle.signing_key is no Ed25519 private key; make one: ${MAKE_SIGNING_KEY}`,
    ]);
  });
});

it.each([
  ['PEM', PEM],
  ['DER in base64', DER],
])('a signing key may be %s', (_form, text) => {
  expect(signingKeyIn(text)?.equals(privateKey)).toBe(true);
});

it.each(['', 'none', PEM.slice(0, 60)])('"%s" is no signing key', (text) => {
  expect(signingKeyIn(text)).toBeUndefined();
});
