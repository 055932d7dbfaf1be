import type { StoredRelease } from '../../src/deploy/release/stored-release.js';

/** @param id e.g. 20261121T000000Z-v2 */
export function aRecord(id: string, changes: Partial<StoredRelease> = {}): StoredRelease {
  return {
    id,
    app: 'shop',
    environment: 'production',
    imageTag: id.slice(17),
    content: `content of ${id}`,
    identity: `identity of ${id}`,
    createdAt: '2026-11-21T00:00:00Z',
    createdBy: 'ann@laptop',
    composeFiles: ['compose/docker-compose.yml'],
    envFiles: [],
    images: { app: { reference: 'shop:1', pinned: `shop@sha256:${id}`, imageId: `sha256:${id}` } },
    services: [{ name: 'app', image: 'shop:1', replicas: 1, stays: true, oneShot: false }],
    ...changes,
  };
}
