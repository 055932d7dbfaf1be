/** SHA-256 hashes, and the SHA256SUMS file of a release. */
import { createHash } from 'node:crypto';
import type { ReleaseFile } from './draft.js';

/** In hexadecimal. */
export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** SHA256SUMS in the format of sha256sum. */
export function checksums(files: readonly ReleaseFile[]): string {
  return files.map((file) => `${file.sha256}  ${file.path}\n`).join('');
}

/** Reads SHA256SUMS: path → hash. Skips lines of another format. */
export function readChecksums(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{64}) [ *](.+)$/.exec(line);
    if (match?.[1] && match[2]) sums.set(match[2], match[1]);
  }
  return sums;
}
