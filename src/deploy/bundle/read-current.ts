import type { BundleSettings, Settings } from '../../config/settings.js';
import type { ObjectStore } from '../../ports.js';
import type { BundleKeys } from './keys.js';
import { type BundleRecord, folderOf, isOf, MAX_POINTER_BYTES, POINTER, readRecord } from './record.js';

/** What a booting droplet would find. `fault` as a sentence without a full stop. */
export type CurrentBundle = { record: BundleRecord; fault?: undefined } | { record?: BundleRecord; fault: string };

/** Throws DeployError storage-failed. */
export async function readCurrent(
  storage: ObjectStore,
  bundle: BundleSettings,
  keys: Pick<BundleKeys, 'verifying'>,
  of: Pick<Settings, 'app' | 'environment' | 'role'>,
): Promise<CurrentBundle> {
  const folder = folderOf(bundle, of);
  const bytes = await storage.get(folder + POINTER, MAX_POINTER_BYTES);
  if (bytes === undefined) return { fault: 'there is none yet' };
  const record = readRecord(bytes, keys.verifying);
  if (record === undefined) return { fault: `${folder}${POINTER} is not signed with bundle.signing_key` };
  if (!isOf(record, of)) return { fault: `${folder}${POINTER} is that of ${record.app}, ${record.environment}` };
  const size = await storage.size(folder + record.object);
  if (size === undefined) return { record, fault: `${folder}${record.object} is missing` };
  return size === record.size ? { record } : { record, fault: `${folder}${record.object} has another size` };
}
