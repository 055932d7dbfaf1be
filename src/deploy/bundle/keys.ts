/** The keys of bundles: deployers sign with the private one, droplets know the public one and what decrypts. */
import { createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { BundleSettings } from '../../config/settings.js';

export interface BundleKeys {
  signing: KeyObject;
  verifying: KeyObject;
  /** Decrypts bundles. It follows from the signing key, which does not follow from it. */
  passphrase: string;
}

const PURPOSE = 'do-deploy bundle encryption 1';

/** Undefined where the settings have no key. */
export function bundleKeys({ signingKey: signing }: Pick<BundleSettings, 'signingKey'>): BundleKeys | undefined {
  if (signing === undefined) return undefined;
  const der = signing.export({ format: 'der', type: 'pkcs8' });
  return {
    signing,
    verifying: createPublicKey(signing),
    passphrase: Buffer.from(hkdfSync('sha256', der, '', PURPOSE, 32)).toString('hex'),
  };
}
