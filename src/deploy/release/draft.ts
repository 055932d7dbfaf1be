/**
 * A release before its images are known, made from local files. On a droplet it becomes a folder with these files,
 * SHA256SUMS, images.yml and release.json.
 */
import pLimit from 'p-limit';
import type { Settings, SourceFile } from '../../config/settings.js';
import { DeployError } from '../../errors.js';
import type { LocalFiles } from '../../ports.js';
import type { ServiceSpec } from '../../rollout/health.js';
import type { ReleaseInfo } from '../../rollout/model.js';
import { sha256 } from './digests.js';
import type { ReleaseImages, StoredRelease } from './stored-release.js';

/** Files hashed simultaneously: a release may have more files than a process may open. */
const FILES_AT_ONCE = 32;

export interface ReleaseFile {
  path: string;
  mode: number;
  sha256: string;
  /** In bytes. */
  size: number;
  /** Reads the content. Only called when a droplet lacks the file: releases may be large and mostly stay the same. */
  read(): Promise<Buffer>;
  /** The content in pieces, for files that need not be in memory. Throws DeployError local-file. */
  open(): AsyncIterable<Buffer>;
}

export function fileInMemory(path: string, mode: number, content: Buffer): ReleaseFile {
  const open = async function* () {
    yield content;
  };
  return { path, mode, sha256: sha256(content), size: content.length, read: async () => content, open };
}

export interface ReleaseDraft extends Omit<StoredRelease, 'identity' | 'images' | 'services'> {
  files: ReleaseFile[];
}

/** e.g. 20261121T074500Z-v1.4.2: UTC to the second, then the reference without what must not be in a path. */
export function releaseId(now: number, reference: string): string {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const short = reference.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 40);
  return `${time}-${short}`;
}

/**
 * Makes the draft of the project's files. Throws DeployError local-file.
 * @param origin.createdAt ISO 8601
 */
export async function draftRelease(
  release: ReleaseInfo,
  origin: { createdAt: string; createdBy: string },
  settings: Settings,
  files: LocalFiles,
): Promise<ReleaseDraft> {
  const { app, environment, composeFiles, envFiles, prepare, shared } = settings;
  const profiles = settings.profiles && [...settings.profiles];
  const sources = await readFiles(settings.files, files);
  const known = { ...release, app, environment, composeFiles, envFiles, profiles, prepare, shared, files: sources };
  return { ...known, ...origin, content: contentHash(known) };
}

/** Hashes the files; sorted by path. */
export async function readFiles(sources: readonly SourceFile[], files: LocalFiles): Promise<ReleaseFile[]> {
  const limit = pLimit(FILES_AT_ONCE);
  const hash = async ({ localPath, path, mode, content }: SourceFile): Promise<ReleaseFile> => {
    if (content !== undefined) return fileInMemory(path, mode, content);
    const digest = await files.digest(localPath);
    return { path, mode, ...digest, read: () => files.read(localPath), open: () => files.open(localPath) };
  };
  const hashed = await Promise.all(sources.map((source) => limit(() => hash(source))));
  return hashed.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Throws DeployError file-changed for the first file that is not as it was when the draft was made, and local-file. */
export async function refuseChanged(
  draft: ReleaseDraft,
  sources: readonly SourceFile[],
  files: LocalFiles,
): Promise<void> {
  const now = new Map((await readFiles(sources, files)).map(({ path, sha256 }) => [path, sha256]));
  const changed = draft.files.find(({ path, sha256 }) => now.get(path) !== sha256);
  if (changed === undefined) return;
  throw new DeployError('file-changed', `${changed.path} was changed at pre_deploy, after the release was made.`, {
    source: 'user',
    hint: 'Write files of the release before do-deploy starts, or on the droplets by `prepare`: a hook or layer cannot change them.',
  });
}

export function contentHash(draft: Omit<ReleaseDraft, 'id' | 'content' | 'createdAt' | 'createdBy'>): string {
  const files = draft.files.map(({ path, mode, sha256 }) => [path, mode, sha256]);
  const { app, environment, imageTag, composeFiles, envFiles, prepare, shared, profiles } = draft;
  const parts = [app, environment, imageTag, composeFiles, envFiles, files];
  // A release without these hashes as it did before there were any.
  if (profiles !== undefined) return sha256(JSON.stringify([...parts, prepare ?? null, shared ?? null, profiles]));
  if (shared !== undefined) return sha256(JSON.stringify([...parts, prepare ?? null, shared]));
  return sha256(JSON.stringify(prepare === undefined ? parts : [...parts, prepare]));
}

/**
 * Hash of the files and of what runs them: the digests of pulled images, which are the same on every droplet (their ids
 * depend on Docker's image store), and the ids of built ones.
 */
export function identityHash(content: string, images: ReleaseImages): string {
  const run = Object.entries(images).map(([service, { pinned }]) => [service, pinned.replace(/^.*@/, '')]);
  return sha256(JSON.stringify([content, run.sort()]));
}

export function storedReleaseOf(draft: ReleaseDraft, services: ServiceSpec[], images: ReleaseImages): StoredRelease {
  const { files: _, ...known } = draft;
  return { ...known, services, images, identity: identityHash(draft.content, images) };
}
