import { z } from 'zod';
import type { ReleaseInfo } from '../../rollout/model.js';
/** What a droplet keeps about a release, in release.json: one line of JSON. */
export const storedRelease = z.object({
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
  /**
   * By service: the pinned reference that compose runs, and the image's id on this droplet. Docker's classic image store
   * takes the digest of the image's configuration as its id, containerd's store the digest of its manifest.
   */
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

export type StoredRelease = z.infer<typeof storedRelease>;

/** The release as events tell it. */
export function infoOf({ id, imageTag, commit, dirty }: StoredRelease): ReleaseInfo {
  return { id, imageTag, commit, ...(dirty && { dirty }) };
}
