/** Uploads the bundle of the fleet's release, then the pointer to it: a run that dies in between leaves the older one whole. */
import { asDeployError } from '../../errors.js';
import { bundleKeys } from '../bundle/keys.js';
import { readCurrent } from '../bundle/read-current.js';
import { type BundleRecord, folderOf, POINTER, signedRecord } from '../bundle/record.js';
import { doDeploy } from '../core/do-deploy.js';
import { inform, warn } from '../core/report.js';
import type { Member } from '../droplet/member.js';
import type { Anchors } from '../fleet/anchors.js';
import { ofRole } from '../fleet/role-settings.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import { fetchDraft } from '../staging/fetch-release.js';
import type { Run } from '../steps/run.js';
import { packBundle } from './pack-bundle.js';

export interface Publishing {
  run: Run;
  members: readonly Member[];
  anchors: Pick<Anchors, 'read'>;
  /** Every droplet that was reached runs it, verified. */
  release: StoredRelease;
  /** The run was interrupted. */
  signal: AbortSignal;
}

/**
 * Only for the release that is recorded as the fleet's. Never throws: the rollout itself has succeeded, and a droplet that
 * boots meanwhile gets the release before, which the warning says.
 */
export async function publishBundle(publishing: Publishing): Promise<void> {
  const { ports, settings } = publishing.run;
  if (settings.bundle === undefined || !publishing.run.target.isFleet) return;
  try {
    await publish(publishing);
  } catch (error) {
    const { message } = asDeployError(error);
    warn(
      ports,
      `${ofRole(settings)}The bundle of release ${publishing.release.id} was not uploaded, so a droplet that boots by itself gets an older release, or none: ${message.replace(/\.$/, '')}. To upload it: ${doDeploy(settings, 'adopt')}`,
    );
  }
}

async function publish({ run, members, anchors, release, signal }: Publishing): Promise<void> {
  const { ports, settings, lease } = run;
  const { bundle } = settings;
  const keys = bundle && bundleKeys(bundle);
  const { storage } = ports;
  const [first] = members;
  if (bundle === undefined || keys === undefined || storage === undefined || first === undefined) return;
  const hash = releaseHash(release);
  const [newest] = await anchors.read();
  // Somebody else has recorded another release, or the rollout was not this fleet's.
  if (newest?.hash !== hash) return;
  const current = await readCurrent(storage, bundle, keys, settings);
  const { record: before } = current;
  const isEncrypted = bundle.secrets === 'include';
  const isSame = before?.hash === hash && before.sequence === newest.sequence;
  if (current.fault === undefined && isSame && (before?.encrypted === 'yes') === isEncrypted) return;
  const draft = await fetchDraft(release, members, settings);
  const passphrase = isEncrypted ? keys.passphrase : undefined;
  const packed = await packBundle(draft, release, newest.sequence, { passphrase, settings });
  const folder = folderOf(bundle, settings);
  const record: BundleRecord = {
    app: settings.app,
    environment: settings.environment,
    role: settings.role ?? '-',
    sequence: newest.sequence,
    release: release.id,
    hash,
    object: `bundle-${packed.sha256.slice(0, 16)}`,
    size: packed.content.length,
    sha256: packed.sha256,
    encrypted: packed.encrypted,
  };
  await storage.put(folder + record.object, packed.content, signal);
  // Two deployers that both believed to hold the lock would otherwise decide by chance.
  await lease.ensure(first.droplet.id);
  await storage.put(folder + POINTER, signedRecord(record, keys.signing), signal);
  inform(ports, `${ofRole(settings)}Droplets that boot by themselves get release ${release.id}.`);
  // One that is fetching it now finds the new pointer when it tries again.
  if (before !== undefined && before.object !== record.object) {
    await storage.remove(folder + before.object).catch(() => {});
  }
}
