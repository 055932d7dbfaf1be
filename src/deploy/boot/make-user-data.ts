import type { Settings } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import { bundleKeys } from '../bundle/keys.js';
import { readCurrent } from '../bundle/read-current.js';
import type { DeployPorts } from '../core/deploy-ports.js';
import { configFile, doDeploy } from '../core/do-deploy.js';
import { Anchors } from '../fleet/anchors.js';
import { settingsOfRoles } from '../fleet/role-settings.js';
import { userData } from './user-data.js';

export interface UserDataOptions {
  /** Needed where there are roles. */
  role?: string | undefined;
  bootstrap: boolean;
}

/** User data that fits the fleet as it is now. Throws DeployError no-bundle, unknown-role, bundle-outdated or storage-failed. */
export async function makeUserData(
  ports: Pick<DeployPorts, 'cloud' | 'storage'>,
  all: Settings,
  { role, bootstrap }: UserDataOptions,
): Promise<string> {
  const settings = ofRole(all, role);
  const { bundle, environment, target } = settings;
  if (target.kind === 'droplet') {
    throw new DeployError('no-bundle', `${environment} is a single droplet: it has no others that could join it.`, {
      source: 'user',
      hint: 'Deploy to it, or describe the droplets by a load balancer or a tag.',
    });
  }
  const keys = bundle && bundleKeys(bundle);
  const { storage } = ports;
  const missing =
    bundle === undefined
      ? 'bundle'
      : keys === undefined
        ? 'bundle.signing_key'
        : bundle.reader === undefined || storage === undefined
          ? 'bundle.read_access_key or bundle.read_secret_key'
          : undefined;
  if (missing !== undefined || !bundle?.reader || !keys || !storage) {
    const where = bundle?.place ?? configFile(settings);
    throw new DeployError('no-bundle', `${where}: ${missing} is not set for ${environment}, or its variable is not.`, {
      source: 'user',
      hint: 'The key is one that may only read the bucket: droplets get it. See docs/configuration.md.',
    });
  }
  // Of a tag or a list of droplets, too: they are fleets.
  const [newest] = await new Anchors(ports.cloud, settings, true).read();
  const { record, fault } = await readCurrent(storage, bundle, keys, settings);
  if (fault !== undefined || record.hash !== newest?.hash || record.sequence !== newest.sequence) {
    const why = fault ?? `it holds ${record?.release}, which is not what was deployed last`;
    throw new DeployError('bundle-outdated', `The bundle cannot boot droplets: ${why}.`, {
      hint: `Upload that of the fleet's release: ${doDeploy(settings, 'adopt')}`,
    });
  }
  return userData({ settings, keys, reader: bundle.reader, sequence: record.sequence, bootstrap });
}

function ofRole(settings: Settings, wanted: string | undefined): Settings {
  const all = settingsOfRoles(settings);
  const found = all.find(({ role }) => role === wanted);
  if (found !== undefined) return found;
  const { environment } = settings;
  const names = all.flatMap(({ role }) => role ?? []);
  const message = wanted === undefined ? `${environment} has roles.` : `There is no role ${wanted}.`;
  throw new DeployError('unknown-role', message, {
    source: 'user',
    hint:
      names.length > 0 ? `Name one: --role ${names.join(' or ')}` : 'This environment has no roles: leave out --role.',
  });
}
