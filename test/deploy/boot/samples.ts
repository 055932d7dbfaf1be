/** A release that uses everything that a boot has to do, and the settings of its environment. */
import { generateKeyPairSync } from 'node:crypto';
import { Secret } from '../../../src/config/secret.js';
import type { BundleSettings, Settings } from '../../../src/config/settings.js';
import { contentHash, fileInMemory, type ReleaseDraft, storedReleaseOf } from '../../../src/deploy/release/draft.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';

export const { privateKey } = generateKeyPairSync('ed25519');

const ID = 'sha256:1111111111111111111111111111111111111111111111111111111111111111';
const BUILT = 'sha256:2222222222222222222222222222222222222222222222222222222222222222';

const known = {
  app: 'shop',
  environment: 'production',
  imageTag: 'v1',
  composeFiles: ['compose/docker-compose.yml'],
  envFiles: ['config/.env'],
  prepare: 'deploy/prepare.sh',
  shared: ['data/', '.htpasswd'],
  files: [
    fileInMemory('compose/docker-compose.yml', 0o644, Buffer.from('services: {}\n')),
    fileInMemory('config/.env', 0o600, Buffer.from('PASSWORD=app-password-91d2\n')),
    fileInMemory("config/it's.txt", 0o644, Buffer.from('a\n')),
    fileInMemory('deploy/prepare.sh', 0o755, Buffer.from('echo\n')),
    fileInMemory('scripts/start-up.sh', 0o755, Buffer.from('echo\n')),
  ],
};

export const DRAFT: ReleaseDraft = {
  ...known,
  id: '20261121T074500Z-v1',
  createdAt: '2026-11-21T07:45:00.000Z',
  createdBy: 'ann@laptop',
  content: contentHash(known),
};

export const RELEASE: StoredRelease = storedReleaseOf(
  DRAFT,
  [
    { name: 'app', image: 'shop:v1', replicas: 1, stays: true, oneShot: false },
    { name: 'assets', image: 'assets', replicas: 1, stays: false, oneShot: true },
  ],
  {
    app: { reference: 'shop:v1', pinned: `shop@sha256:${'3'.repeat(64)}`, imageId: ID },
    assets: { reference: 'assets', pinned: BUILT, imageId: BUILT, built: true },
  },
);

export const BUNDLE: BundleSettings = {
  place: 'config/deploy.yml:3',
  endpoint: 'https://fra1.example.com',
  bucket: 'releases',
  region: 'us-east-1',
  prefix: '',
  secrets: 'include',
  writer: { accessKey: 'writer', secretKey: new Secret('writers-secret-7f1c') },
  reader: { accessKey: 'reader', secretKey: new Secret("readers'secret-03be") },
  signingKey: privateKey,
};

/** What of the settings a boot depends on. */
export function settings(changes: Partial<Settings> = {}): Settings {
  return {
    app: 'shop',
    environment: 'production',
    ssh: { user: 'deploy' },
    target: { kind: 'load_balancer', ref: 'web' },
    bundle: BUNDLE,
    registry: { server: 'registry.example.com', username: 'deployer', password: new Secret("it's a password") },
    rollout: {
      healthTimeoutMs: 120_000,
      healthHttp: { port: 80, path: '/up?a=1', intervalMs: 1_000, timeoutMs: 2_500 },
    },
    bootstrap: {
      dockerGroup: true,
      docker: 'distribution',
      firewall: {},
      hardenSsh: true,
      unattendedUpgrades: true,
      swap: true,
      waitMs: 600_000,
    },
    ...changes,
  } as Settings;
}
