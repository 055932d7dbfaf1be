/**
 * A release: a set of files plus image digests, with an id. Built here from local files; on a droplet it is a folder
 * with these files, SHA256SUMS, images.yml (a compose override that pins the digests) and release.json.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { z } from 'zod';
import type { SourceFile } from '../config/settings.js';
import { DeployError } from '../errors.js';
import type { LocalFiles } from '../ports.js';
import type { ServiceSpec } from '../rollout/health.js';
import type { ReleaseInfo } from '../rollout/model.js';

export interface ReleaseFile {
  path: string;
  mode: number;
  sha256: string;
  /** Its content, only when a droplet lacks it: a release may be large, and mostly has not changed. */
  read(): Promise<Buffer>;
}

/** What a droplet keeps about a release, in release.json: one line of JSON. */
export const releaseRecord = z.object({
  id: z.string(),
  app: z.string(),
  environment: z.string(),
  imageTag: z.string(),
  /** Hash of the files, their modes, the tag and the environment. */
  content: z.string(),
  /** Hash of `content` and the pinned images: the same identity means the same bytes run. */
  identity: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
  /** The commit of the files, as in a CommitInfo; not part of the identity: the same bytes may be in many commits. */
  commit: z.string().optional(),
  dirty: z.boolean().optional(),
  composeFiles: z.array(z.string()),
  envFiles: z.array(z.string()),
  /** The script that prepares it on a droplet, one of its files. */
  prepare: z.string().optional(),
  /** By service: the pinned reference that compose runs and the image's id (its config digest, the same everywhere). */
  images: z.record(
    z.string(),
    z.object({
      reference: z.string(),
      pinned: z.string(),
      imageId: z.string(),
      /** Built on this droplet: `pinned` is the image's id, and another one on each. */
      built: z.boolean().optional(),
    }),
  ),
  services: z.array(
    z.object({
      name: z.string(),
      image: z.string(),
      replicas: z.number(),
      stays: z.boolean(),
      oneShot: z.boolean(),
    }),
  ),
});
export type ReleaseRecord = z.infer<typeof releaseRecord>;

/** The part of a release that is known before its images are. */
export interface ReleaseDraft {
  id: string;
  app: string;
  environment: string;
  imageTag: string;
  createdAt: string;
  createdBy: string;
  commit?: string | undefined;
  dirty?: boolean | undefined;
  composeFiles: string[];
  envFiles: string[];
  prepare?: string | undefined;
  files: ReleaseFile[];
  content: string;
}

/** e.g. 20261121T074500Z-v1.4.2: UTC to the second, then what of the reference may stand in a path. */
export function releaseId(now: number, reference: string): string {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const short = reference.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 40);
  return `${time}-${short}`;
}

export async function readFiles(sources: readonly SourceFile[], files: LocalFiles): Promise<ReleaseFile[]> {
  const hashed = await Promise.all(
    sources.map(async ({ localPath, path, mode, content }): Promise<ReleaseFile> => {
      if (content !== undefined) return { path, mode, sha256: sha256(content), read: async () => content };
      return { path, mode, sha256: await files.sha256(localPath), read: () => files.read(localPath) };
    }),
  );
  return hashed.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What the file held when the release was made of it. Throws DeployError file-changed. */
async function contentOf({ path, sha256: expected, read }: ReleaseFile): Promise<Buffer> {
  const content = await read();
  if (sha256(content) === expected) return content;
  throw new DeployError('file-changed', `${path} was changed while it was being deployed.`, {
    source: 'user',
    hint: 'Run the deploy again when nothing writes to the file.',
  });
}

export function contentHash(draft: Omit<ReleaseDraft, 'id' | 'content' | 'createdAt' | 'createdBy'>): string {
  const files = draft.files.map(({ path, mode, sha256 }) => [path, mode, sha256]);
  const { app, environment, imageTag, composeFiles, envFiles, prepare } = draft;
  const parts = [
    app,
    environment,
    imageTag,
    composeFiles,
    envFiles,
    files,
    ...(prepare === undefined ? [] : [prepare]),
  ];
  return sha256(JSON.stringify(parts));
}

export function identityHash(content: string, images: ReleaseRecord['images']): string {
  const pinned = Object.entries(images).map(([service, image]) => [service, image.imageId]);
  return sha256(JSON.stringify([content, pinned.sort()]));
}

export function recordOf(draft: ReleaseDraft, services: ServiceSpec[], images: ReleaseRecord['images']): ReleaseRecord {
  const { files: _, ...known } = draft;
  return { ...known, services, images, identity: identityHash(draft.content, images) };
}

/** The release as events tell it. */
export function infoOf({ id, imageTag, commit, dirty }: ReleaseRecord): ReleaseInfo {
  return { id, imageTag, ...(commit !== undefined && { commit }), ...(dirty && { dirty }) };
}

/** A compose override that makes every service run exactly the recorded image. */
export function imagesOverride(images: ReleaseRecord['images']): string {
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
export interface HeldFiles {
  files: readonly ReleaseFile[];
  /** By path, the hash that was deployed, as its SHA256SUMS says. */
  sums?: ReadonlyMap<string, string>;
}

/**
 * The release as it was deployed, each file from a droplet where nobody has touched it. Undefined while a byte or a mode
 * is another one: release.json has the hash of them all.
 */
export function assemble(record: ReleaseRecord, held: readonly HeldFiles[]): ReleaseDraft | undefined {
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

function verified(record: ReleaseRecord, files: ReleaseFile[]): ReleaseDraft | undefined {
  const { services: _, images: __, identity: ___, ...known } = record;
  const draft = { ...known, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) };
  return contentHash(draft) === record.content ? draft : undefined;
}

/** In hexadecimal. */
export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
