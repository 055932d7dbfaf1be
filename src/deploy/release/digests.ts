import { createHash } from 'node:crypto';
import type { ReleaseFile } from './draft.js';
import type { StoredRelease } from './stored-release.js';
/** A compose override that makes every service run exactly the recorded image. */
export function imagesOverride(images: StoredRelease['images']): string {
  const services = Object.entries(images).map(
    ([name, { pinned }]) => `  ${JSON.stringify(name)}: { image: ${JSON.stringify(pinned)} }`,
  );
  return ['# Written by do-deploy: the images of this release, by digest.', 'services:', ...services, ''].join('\n');
}

/** SHA256SUMS, as sha256sum prints and checks it. */
export function checksums(files: readonly ReleaseFile[]): string {
  return files.map((file) => `${file.sha256}  ${file.path}\n`).join('');
}

/** Reads SHA256SUMS: path → hash. */
export function readChecksums(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{64}) [ *](.+)$/.exec(line);
    if (match?.[1] && match[2]) sums.set(match[2], match[1]);
  }
  return sums;
}

/** In hexadecimal. */
export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
