/**
 * A release: a set of files plus image digests, with an id. Built here from local files; on a droplet it is a folder
 * with these files, SHA256SUMS, images.yml (a compose override that pins the digests) and release.json.
 */
import pLimit from 'p-limit';
import type { SourceFile } from '../../config/settings.js';
import type { LocalFiles } from '../../ports.js';
import type { ServiceSpec } from '../../rollout/health.js';
import { sha256 } from './digests.js';
import type { StoredRelease } from './stored-release.js';

/** Files that are hashed at the same time: a release may have more than a process may open. */
const FILES_AT_ONCE = 32;

export interface ReleaseFile {
  path: string;
  mode: number;
  sha256: string;
  /** Its content, only when a droplet lacks it: a release may be large, and mostly has not changed. */
  read(): Promise<Buffer>;
}

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
  const limit = pLimit(FILES_AT_ONCE);
  const hash = async ({ localPath, path, mode, content }: SourceFile): Promise<ReleaseFile> => {
    if (content !== undefined) return { path, mode, sha256: sha256(content), read: async () => content };
    return { path, mode, sha256: await files.sha256(localPath), read: () => files.read(localPath) };
  };
  const hashed = await Promise.all(sources.map((source) => limit(() => hash(source))));
  return hashed.sort((a, b) => (a.path < b.path ? -1 : 1));
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

export function identityHash(content: string, images: StoredRelease['images']): string {
  const pinned = Object.entries(images).map(([service, image]) => [service, image.imageId]);
  return sha256(JSON.stringify([content, pinned.sort()]));
}

export function storedReleaseOf(
  draft: ReleaseDraft,
  services: ServiceSpec[],
  images: StoredRelease['images'],
): StoredRelease {
  const { files: _, ...known } = draft;
  return { ...known, services, images, identity: identityHash(draft.content, images) };
}
