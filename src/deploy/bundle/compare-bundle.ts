import type { Settings } from '../../config/settings.js';
import { asDeployError } from '../../errors.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import type { Anchor } from '../fleet/anchors.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import { bundleKeys } from './keys.js';
import { readCurrent } from './read-current.js';

/**
 * What a droplet that boots now would get instead of the fleet's release, as a sentence without a full stop; undefined: that
 * release, or it cannot be compared, because the keys of the storage are not set here.
 */
export async function compareBundle(
  { storage }: Pick<DeployPorts, 'storage'>,
  settings: Pick<Settings, 'app' | 'environment' | 'role' | 'bundle'>,
  release: StoredRelease,
  [newest]: readonly Anchor[],
): Promise<string | undefined> {
  const { bundle } = settings;
  const keys = bundle && bundleKeys(bundle);
  if (storage === undefined || bundle === undefined || keys === undefined) return undefined;
  try {
    const { record, fault } = await readCurrent(storage, bundle, keys, settings);
    if (fault !== undefined) return `cannot boot droplets: ${fault}`;
    if (record.hash !== releaseHash(release)) {
      return `holds ${record.release} instead of ${release.id}: a droplet that boots now gets that`;
    }
    // One that a thief of the write key has put back, or whose newer one could not be uploaded.
    return newest !== undefined && record.sequence < newest.sequence
      ? `is older than the last rollout of ${release.id}: user data that is newer refuses it`
      : undefined;
  } catch (error) {
    return `cannot be read: ${asDeployError(error).message.replace(/\.$/, '')}`;
  }
}
