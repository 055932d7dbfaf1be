import { createPrivateKey, type KeyObject } from 'node:crypto';

/** The private key of Ed25519 that the text holds, as PEM or as DER (PKCS #8) in base64; undefined for anything else. */
export function signingKeyIn(text: string): KeyObject | undefined {
  try {
    const key = text.includes('-----BEGIN')
      ? createPrivateKey(text)
      : createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' });
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
