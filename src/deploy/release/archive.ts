/** Releases as archives (tar, gzip): packed for a droplet, and read back from one. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gunzip, gzip } from 'node:zlib';
import type { Pack } from 'tar-stream';
import { DeployError } from '../../errors.js';
import type { Upload } from '../../ports.js';
import { checksums, sha256 } from './digests.js';
import { contentHash, fileInMemory, type ReleaseDraft, type ReleaseFile } from './draft.js';
import type { StoredRelease } from './stored-release.js';

/** A larger archive is packed for each droplet while it is sent; a smaller one is packed once, in memory. */
const IN_MEMORY_BYTES = 32 * 1024 * 1024;

/** Bounds an archive from a droplet, unpacked: a few kilobytes can hold gigabytes. A release holds files, not data. */
const MAX_UNPACKED_BYTES = 1024 * 1024 * 1024;

/** Fast: on a fast connection compressing takes most of the time, and on a slow one level 1 already saves the most. */
const GZIP = { level: 1 };

interface Packing {
  draft: ReleaseDraft;
  /** Files that the droplet has in its current release. */
  reused: ReleaseFile[];
  /** Files in the archive. */
  sent: ReleaseFile[];
}

/**
 * Packs what a droplet lacks. The archive also holds SHA256SUMS of the whole release, the same of the files sent
 * (`.sent`), and the paths to copy from the droplet's current release (`.reuse`) with their modes (`.modes`, `755 path`).
 * Throws DeployError local-file or file-changed; where the archive is a function, what it returns throws that.
 * @param onDroplet path → hash of the current release's files as they are on the droplet
 */
export async function packFor(
  draft: ReleaseDraft,
  onDroplet: ReadonlyMap<string, string>,
  inMemoryBytes = IN_MEMORY_BYTES,
): Promise<{ archive: Upload['content']; reused: ReleaseFile[]; sent: ReleaseFile[] }> {
  const reused = draft.files.filter((file) => onDroplet.get(file.path) === file.sha256);
  const sent = draft.files.filter((file) => onDroplet.get(file.path) !== file.sha256);
  const packing = { draft, reused, sent };
  const bytes = sent.reduce((total, { size }) => total + size, 0);
  return {
    archive: bytes <= inMemoryBytes ? await packInMemory(packing) : () => packInPieces(packing),
    reused,
    sent,
  };
}

async function packInMemory(packing: Packing): Promise<Buffer> {
  const { pack } = await import('tar-stream');
  const contents = await Promise.all(packing.sent.map(async (file) => ({ file, content: await contentOf(file) })));
  const tar = pack();
  const packed = collect(tar);
  addLists(tar, packing);
  for (const { file, content } of contents) tar.entry({ name: file.path, mode: file.mode }, content);
  tar.finalize();
  return await promisify(gzip)(await packed, GZIP);
}

async function* packInPieces(packing: Packing): AsyncGenerator<Buffer> {
  const { pack } = await import('tar-stream');
  const tar = pack();
  const zipped = createGzip(GZIP);
  const fill = async () => {
    addLists(tar, packing);
    for (const file of packing.sent) {
      const entry = tar.entry({ name: file.path, mode: file.mode, size: file.size });
      await pipeline(Readable.from(unchanged(file)), entry);
    }
    tar.finalize();
  };
  const zipping = pipeline(tar, zipped).catch(() => {});
  const filling = fill().catch((error) => {
    zipped.destroy(error);
    tar.destroy();
  });
  try {
    for await (const piece of zipped) yield piece;
  } finally {
    tar.destroy();
    await Promise.all([filling, zipping]);
  }
}

function addLists(tar: Pack, { draft, reused, sent }: Packing): void {
  const modes = reused.map(({ path, mode }) => `${mode.toString(8)} ${path}\n`);
  tar.entry({ name: 'SHA256SUMS', mode: 0o600 }, checksums(draft.files));
  tar.entry({ name: '.sent', mode: 0o600 }, checksums(sent));
  tar.entry({ name: '.reuse', mode: 0o600 }, reused.map((file) => `${file.path}\n`).join(''));
  tar.entry({ name: '.modes', mode: 0o600 }, modes.join(''));
}

async function contentOf(file: ReleaseFile): Promise<Buffer> {
  const content = await file.read();
  if (sha256(content) === file.sha256) return content;
  throw fileChanged(file);
}

async function* unchanged(file: ReleaseFile): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of file.open()) {
    size += piece.length;
    // More than the archive's header says would damage it.
    if (size > file.size) throw fileChanged(file);
    hash.update(piece);
    yield piece;
  }
  if (hash.digest('hex') !== file.sha256) throw fileChanged(file);
}

function fileChanged({ path }: ReleaseFile): DeployError {
  return new DeployError('file-changed', `${path} was changed while it was being deployed.`, {
    source: 'user',
    hint: 'Run the deploy again when nothing writes to the file.',
  });
}

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An archive of some files of a release and nothing else. Throws DeployError local-file or file-changed. */
export async function packFiles(files: readonly ReleaseFile[]): Promise<Buffer> {
  const { pack } = await import('tar-stream');
  const tar = pack();
  const packed = collect(tar);
  for (const file of files) tar.entry({ name: file.path, mode: file.mode }, await contentOf(file));
  tar.finalize();
  return await promisify(gzip)(await packed, GZIP);
}

/** A release's files from an archive that a droplet packed; undefined when it is truncated or no archive. */
export async function readArchive(archive: Buffer): Promise<ReleaseFile[] | undefined> {
  const { extract } = await import('tar-stream');
  const files: ReleaseFile[] = [];
  try {
    const tar = await promisify(gunzip)(archive, { maxOutputLength: MAX_UNPACKED_BYTES });
    if (!isWhole(tar)) return undefined;
    const entries = extract();
    entries.end(tar);
    for await (const entry of entries) {
      const { name, mode = 0, type } = entry.header;
      const content = await collect(entry);
      if (type !== 'file') continue;
      files.push(fileInMemory(name.replace(/^\.\//, ''), mode & 0o777, content));
    }
  } catch {
    return undefined;
  }
  return files;
}

const BLOCK = 512;

/** Whether every entry lies within the archive: for the rest of one that does not, tar-stream would wait forever. */
function isWhole(tar: Buffer): boolean {
  for (let at = 0; at < tar.length; ) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.length < BLOCK) return false;
    at += BLOCK;
    if (header.every((byte) => byte === 0)) continue;
    const [, octal] = /^ *([0-7]+)[ \0]*$/.exec(header.toString('latin1', 124, 136)) ?? [];
    const type = header.toString('latin1', 156, 157);
    const size = Number.parseInt(octal ?? '', 8);
    if (Number.isNaN(size) || (type === '5' && size > 0) || at + size > tar.length) return false;
    // A header of pax may give the next entry another size.
    if (/[xg]/.test(type) && tar.subarray(at, at + size).includes(' size=')) return false;
    at += Math.ceil(size / BLOCK) * BLOCK;
  }
  return true;
}

/** What one droplet has of a release. */
export interface FilesOnDroplet {
  files: readonly ReleaseFile[];
  /** path → hash as deployed, from its SHA256SUMS. */
  sums?: ReadonlyMap<string, string>;
}

/**
 * Rebuilds the release as it was deployed, taking each file from a droplet where it is unedited. Undefined when any byte
 * or mode differs: release.json has the hash of all of them.
 */
export function assemble(release: StoredRelease, found: readonly FilesOnDroplet[]): ReleaseDraft | undefined {
  const byContent = new Map(found.flatMap(({ files }) => files.map((file) => [`${file.sha256} ${file.path}`, file])));
  const tables = found.flatMap(({ files, sums }) => [
    ...(sums === undefined ? [] : [sums]),
    new Map(files.map((file) => [file.path, file.sha256])),
  ]);
  for (const sums of tables) {
    const chosen = [...sums].flatMap(([path, sum]) => byContent.get(`${sum} ${path}`) ?? []);
    if (chosen.length < sums.size) continue;
    // Modes may have been edited apart from contents, so each droplet's modes are tried on these contents.
    for (const { files } of [{ files: chosen }, ...found]) {
      const modes = new Map(files.map(({ path, mode }) => [path, mode]));
      const candidate = chosen.map((file) => ({ ...file, mode: modes.get(file.path) ?? file.mode }));
      const draft = verified(release, candidate);
      if (draft !== undefined) return draft;
    }
  }
  return undefined;
}

function verified(release: StoredRelease, files: ReleaseFile[]): ReleaseDraft | undefined {
  const { services: _, images: __, identity: ___, ...known } = release;
  const draft = { ...known, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
  return contentHash(draft) === release.content ? draft : undefined;
}
