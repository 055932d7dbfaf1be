/** Makes the bundle of a release: boot.sh, and the archive that a deploy would upload to a droplet that has nothing. */
import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Settings } from '../../config/settings.js';
import { packFor } from '../release/archive.js';
import { sha256 } from '../release/digests.js';
import type { ReleaseDraft, ReleaseFile } from '../release/draft.js';
import type { StoredRelease } from '../release/stored-release.js';
import { bootScript } from './boot-script.js';

/** Of `openssl enc -pbkdf2`: the passphrase is 256 random bits, so more would prove nothing. */
export const ITERATIONS = 10_000;

export interface Bundle {
  content: Buffer;
  sha256: string;
  encrypted: 'yes' | 'no';
}

/** A file that only its owner may read, such as an env file or a key. */
export function isSecretFile({ mode }: Pick<ReleaseFile, 'mode'>): boolean {
  return (mode & 0o077) === 0;
}

/** @param passphrase absent: the bundle is not encrypted, and has no secret files */
export async function packBundle(
  draft: ReleaseDraft,
  release: StoredRelease,
  sequence: number,
  { passphrase, settings }: { passphrase: string | undefined; settings: Pick<Settings, 'rollout'> },
): Promise<Bundle> {
  const leftOut = passphrase === undefined ? draft.files.filter(isSecretFile) : [];
  const { archive } = await packFor(draft, new Map(leftOut.map((file) => [file.path, file.sha256])));
  const script = bootScript({ draft, release, sequence, leftOut }, settings);
  const tar = await tarOf({ 'boot.sh': Buffer.from(script), 'release.tgz': await whole(archive) });
  const content = passphrase === undefined ? tar : encrypt(tar, passphrase);
  return { content, sha256: sha256(content), encrypted: passphrase === undefined ? 'no' : 'yes' };
}

async function tarOf(files: Record<string, Buffer>): Promise<Buffer> {
  const { pack } = await import('tar-stream');
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mode: 0o600 }, content);
  tar.finalize();
  return await collect(tar);
}

/** In the format of `openssl enc -aes-256-cbc -pbkdf2`: its bytes are part of what is signed, which detects a change. */
function encrypt(content: Buffer, passphrase: string): Buffer {
  const salt = randomBytes(8);
  const derived = pbkdf2Sync(passphrase, salt, ITERATIONS, 48, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', derived.subarray(0, 32), derived.subarray(32));
  return Buffer.concat([Buffer.from('Salted__'), salt, cipher.update(content), cipher.final()]);
}

async function whole(archive: Buffer | (() => AsyncIterable<Buffer>)): Promise<Buffer> {
  return Buffer.isBuffer(archive) ? archive : await collect(archive());
}

async function collect(pieces: AsyncIterable<unknown>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece as Buffer);
  return Buffer.concat(all);
}
