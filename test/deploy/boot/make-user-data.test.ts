import { expect, it } from 'vitest';
import type { Settings } from '../../../src/config/settings.js';
import { makeUserData } from '../../../src/deploy/boot/make-user-data.js';
import { signedRecord } from '../../../src/deploy/bundle/record.js';
import { releaseHash } from '../../../src/deploy/release/release-hash.js';
import type { Cloud, ObjectStore } from '../../../src/ports.js';
import { BUNDLE, privateKey, RELEASE, settings } from './samples.js';

const HASH = releaseHash(RELEASE);

function ports(folder: string, role: string, anchored = `7:${HASH}`) {
  const record = {
    ...{ app: 'shop', environment: 'production', role, sequence: 7, release: RELEASE.id, hash: HASH },
    ...{ object: `bundle-${'a'.repeat(16)}`, size: 10, sha256: 'b'.repeat(64), encrypted: 'yes' as const },
  };
  const objects = new Map([
    [`${folder}current`, signedRecord(record, privateKey)],
    [`${folder}${record.object}`, Buffer.alloc(10)],
  ]);
  const storage = {
    get: async (key: string) => objects.get(key),
    size: async (key: string) => objects.get(key)?.length,
  } as unknown as ObjectStore;
  const scope = role === '-' ? 'production' : `production:${role}`;
  const cloud = { listTags: async () => [`do-deploy:release:shop:${scope}:${anchored}`] } as unknown as Cloud;
  return { cloud, storage };
}

const plain = { bootstrap: false };
const roles: Settings['roles'] = [
  { name: 'web', target: { kind: 'load_balancer' } },
  { name: 'worker', target: { kind: 'tag', tag: 'worker' } },
];

it('fits the rollout that was recorded last', async () => {
  const text = await makeUserData(ports('shop/production/', '-'), settings(), plain);
  expect(text).toMatch(/^BOOT_SEQUENCE=7 /m);
  expect(text).toMatch(/^BOOT_ROLE=- /m);
});

it('is that of one role', async () => {
  const own = ports('shop/production/worker/', 'worker');
  const text = await makeUserData(own, settings({ roles }), { ...plain, role: 'worker' });
  expect(text).toMatch(/^BOOT_FOLDER=shop\/production\/worker\/ /m);
  expect(text).toContain('cloud-init production --role worker');
  const refused = (role?: string) => makeUserData(own, settings({ roles }), { ...plain, role });
  await expect(refused('db')).rejects.toMatchObject({ code: 'unknown-role', hint: 'Name one: --role web or worker' });
  await expect(refused()).rejects.toMatchObject({ code: 'unknown-role', message: 'production has roles.' });
});

it.each([
  ['of another rollout', `8:${HASH}`],
  ['of another release', `7:${'f'.repeat(40)}`],
])('is not made while the bundle is %s', async (_what, anchored) => {
  const made = makeUserData(ports('shop/production/', '-', anchored), settings(), plain);
  await expect(made).rejects.toMatchObject({
    code: 'bundle-outdated',
    hint: expect.stringContaining('adopt production'),
  });
});

it.each<[string, Partial<Settings>, RegExp]>([
  ['bundle', { bundle: undefined }, /^config\/deploy\.yml: bundle is not set for production/],
  [
    "the droplets' key",
    { bundle: { ...BUNDLE, reader: undefined } },
    /^config\/deploy\.yml:3: bundle\.read_access_key or/,
  ],
  [
    'the signing key',
    { bundle: { ...BUNDLE, signingKey: undefined } },
    /^config\/deploy\.yml:3: bundle\.signing_key is/,
  ],
  ['other droplets', { target: { kind: 'droplet', id: 1 } }, /^production is a single droplet/],
])('names what is missing: %s', async (_what, changes, message) => {
  const made = makeUserData(ports('shop/production/', '-'), settings(changes), plain);
  await expect(made).rejects.toMatchObject({
    code: 'no-bundle',
    source: 'user',
    message: expect.stringMatching(message),
  });
});
