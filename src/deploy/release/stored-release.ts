/** What a droplet stores about a release besides its files: release.json and images.yml. */
import { z } from 'zod';
import type { ReleaseInfo } from '../../rollout/model.js';

/** A droplet's word: no path may lead out of the release. */
function isSharedPath(path: string): boolean {
  const parts = path.replace(/\/$/, '').split('/');
  return !/\p{Cc}/u.test(path) && parts.every((part) => part !== '' && part !== '.' && part !== '..');
}

/** release.json: one line of JSON. */
export const storedRelease = z.object({
  /** The name of a folder, also on other droplets: nothing that leads out of `releases/`. */
  id: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/),
  app: z.string(),
  environment: z.string(),
  imageTag: z.string(),
  /** Hash of the files, their modes, the tag and the environment. */
  content: z.string(),
  /** Hash of `content` and the pinned images: the same identity means that the same bytes run. */
  identity: z.string(),
  createdAt: z.string(),
  createdBy: z.string(),
  /** The commit of the files, as in a CommitInfo. Not part of the identity: many commits can hold the same bytes. */
  commit: z.string().optional(),
  dirty: z.boolean().optional(),
  composeFiles: z.array(z.string()),
  envFiles: z.array(z.string()),
  /** Compose profiles that are on, sorted. */
  profiles: z.array(z.string()).max(100).optional(),
  /** The project's own script, one of the files, that runs on each droplet before images are pulled or built. */
  prepare: z.string().optional(),
  /** Files, and folders with a trailing `/`, that are links to the app's `shared` folder. */
  shared: z.array(z.string().refine(isSharedPath)).max(100).optional(),
  /**
   * By service: the pinned reference that compose runs, and the image's id on this droplet. Docker's classic image store
   * uses the digest of the image's configuration as the id, containerd's store the digest of its manifest.
   */
  images: z.record(
    z.string(),
    z.object({
      reference: z.string(),
      pinned: z.string(),
      imageId: z.string(),
      /** Built on this droplet: `pinned` is the image's id and differs from droplet to droplet. */
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

export type ReleaseImages = StoredRelease['images'];

/** The release as events report it. */
export function infoOf({ id, imageTag, commit, dirty }: StoredRelease): ReleaseInfo {
  return { id, imageTag, commit, dirty };
}

/** images.yml: a compose override that pins every service to its image. */
export function imagesOverride(images: ReleaseImages): string {
  const services = Object.entries(images).map(
    ([name, { pinned }]) => `  ${JSON.stringify(name)}: { image: ${JSON.stringify(pinned)} }`,
  );
  return ['# Written by do-deploy: the images of this release, by digest.', 'services:', ...services, ''].join('\n');
}
