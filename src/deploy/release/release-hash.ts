import { sha256 } from './digests.js';
import type { StoredRelease } from './stored-release.js';

/** Hexadecimal digits: 160 bits. */
export const RELEASE_HASH_LENGTH = 40;

/**
 * Hash of everything in a release's record that decides what a droplet runs and when it counts as healthy. It is computed
 * from the record's own fields, because the identity that a record claims proves nothing. Left out is what each droplet has
 * for itself: ids of images, and images that were built there. A field that is added to the record later must leave the
 * hash of records without it as it is.
 */
export function releaseHash(record: StoredRelease): string {
  const { id, app, environment, imageTag, content, composeFiles, envFiles, prepare = null, shared, profiles } = record;
  const services = record.services.map(({ name, image, replicas, stays, oneShot }) => [
    name,
    image,
    replicas,
    stays,
    oneShot,
  ]);
  const images = Object.entries(record.images).map(([service, { reference, pinned, built }]) => [
    service,
    reference,
    built ? 'built' : pinned,
  ]);
  const parts = [
    ...[id, app, environment, imageTag, content, composeFiles, envFiles, prepare],
    services.sort(byFirst),
    images.sort(byFirst),
    ...(shared === undefined && profiles === undefined ? [] : [shared ?? null]),
    ...(profiles === undefined ? [] : [profiles]),
  ];
  return sha256(JSON.stringify(parts)).slice(0, RELEASE_HASH_LENGTH);
}

function byFirst([one]: unknown[], [other]: unknown[]): number {
  return String(one) < String(other) ? -1 : 1;
}
