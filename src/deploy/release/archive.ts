import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { DeployError } from '../../errors.js';
import { checksums, sha256 } from './digests.js';
import { contentHash, type ReleaseDraft, type ReleaseFile } from './draft.js';
import type { StoredRelease } from './stored-release.js';

/** What the file held when the release was made of it. Throws DeployError file-changed. */
async function contentOf({ path, sha256: expected, read }: ReleaseFile): Promise<Buffer> {
  const content = await read();
  if (sha256(content) === expected) return content;
  throw new DeployError('file-changed', `${path} was changed while it was being deployed.`, {
    source: 'user',
    hint: 'Run the deploy again when nothing writes to the file.',
  });
}

/**
 * The archive for a droplet: what it lacks, with the sums of that in `.sent`; SHA256SUMS; and in `.reuse` the paths that it
 * copies from the release whose hashes `base` are. Throws DeployError local-file or file-changed.
 */
export async function packFor(
  draft: ReleaseDraft,
  base: ReadonlyMap<string, string>,
): Promise<{ archive: Buffer; reused: ReleaseFile[]; sent: ReleaseFile[] }> {
  const reused = draft.files.filter((file) => base.get(file.path) === file.sha256);
  const sent = draft.files.filter((file) => base.get(file.path) !== file.sha256);
  const contents = await Promise.all(sent.map(async (file) => ({ ...file, content: await contentOf(file) })));
  const { pack } = await import('tar-stream');
  const tar = pack();
  const chunks: Buffer[] = [];
  const packed = (async () => {
    for await (const chunk of tar) chunks.push(chunk as Buffer);
  })();
  tar.entry({ name: 'SHA256SUMS', mode: 0o600 }, checksums(draft.files));
  tar.entry({ name: '.sent', mode: 0o600 }, checksums(sent));
  tar.entry({ name: '.reuse', mode: 0o600 }, reused.map((file) => `${file.path}\n`).join(''));
  for (const { path, mode, content } of contents) tar.entry({ name: path, mode }, content);
  tar.finalize();
  await packed;
  // Level 1: on a fast line the time goes into compressing, on a slow one most of the gain is there already.
  return { archive: await promisify(gzip)(Buffer.concat(chunks), { level: 1 }), reused, sent };
}

/** The files of a release as a droplet has them now, from an archive (tar, gzip); undefined when it is cut off. */
export async function readArchive(archive: Buffer): Promise<ReleaseFile[] | undefined> {
  const { extract } = await import('tar-stream');
  const files: ReleaseFile[] = [];
  try {
    const entries = extract();
    entries.end(await promisify(gunzip)(archive));
    for await (const entry of entries) {
      const { name, mode = 0, type } = entry.header;
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      const content = Buffer.concat(chunks);
      if (type !== 'file') continue;
      files.push({ path: name, mode: mode & 0o777, sha256: sha256(content), read: async () => content });
    }
  } catch {
    // Cut off, or not an archive at all.
    return undefined;
  }
  return files;
}

/** What one droplet has of a release. */
export interface FilesOnDroplet {
  files: readonly ReleaseFile[];
  /** By path, the hash that was deployed, as its SHA256SUMS says. */
  sums?: ReadonlyMap<string, string>;
}

/**
 * The release as it was deployed, each file from a droplet where nobody has touched it. Undefined while a byte or a mode
 * is another one: release.json has the hash of them all.
 */
export function assemble(record: StoredRelease, held: readonly FilesOnDroplet[]): ReleaseDraft | undefined {
  const byContent = new Map(held.flatMap(({ files }) => files.map((file) => [`${file.sha256} ${file.path}`, file])));
  const tables = held.flatMap(({ files, sums }) => [
    ...(sums === undefined ? [] : [sums]),
    new Map(files.map((file) => [file.path, file.sha256])),
  ]);
  for (const sums of tables) {
    const found = [...sums].flatMap(([path, sum]) => byContent.get(`${sum} ${path}`) ?? []);
    if (found.length < sums.size) continue;
    // A file's own mode is right where nobody has touched it; one that was only made readable, say, has another's.
    for (const { files } of [{ files: found }, ...held]) {
      const modes = new Map(files.map(({ path, mode }) => [path, mode]));
      const draft = verified(
        record,
        found.map((file) => ({ ...file, mode: modes.get(file.path) ?? file.mode })),
      );
      if (draft !== undefined) return draft;
    }
  }
  return undefined;
}

function verified(record: StoredRelease, files: ReleaseFile[]): ReleaseDraft | undefined {
  const { services: _, images: __, identity: ___, ...known } = record;
  const draft = { ...known, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
  return contentHash(draft) === record.content ? draft : undefined;
}
