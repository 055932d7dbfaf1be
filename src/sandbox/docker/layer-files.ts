/** The files from which one can tell which compressed layers Docker has, in the format of its own image store (overlay2). */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalImage } from './image-store.js';

export const STORAGE_DRIVER = 'overlay2';

/**
 * Like Docker, forgets a layer that no image has any more, but not which digest its compressed form had.
 * @param dataRoot DockerRootDir
 */
export function writeLayerFiles(dataRoot: string, images: readonly LocalImage[]): void {
  const folder = join(dataRoot, 'image', STORAGE_DRIVER);
  const present = join(folder, 'layerdb', 'sha256');
  const digests = join(folder, 'distribution', 'diffid-by-digest', 'sha256');
  rmSync(present, { recursive: true, force: true });
  for (const path of [present, digests]) mkdirSync(path, { recursive: true });
  for (const { digest, diffId } of images.flatMap(({ image }) => image.layers)) {
    // Docker names the folder after the whole chain of layers; do-deploy reads only what is inside.
    const layer = join(present, withoutAlgorithm(diffId));
    mkdirSync(layer, { recursive: true });
    writeFileSync(join(layer, 'diff'), diffId);
    writeFileSync(join(digests, withoutAlgorithm(digest)), diffId);
  }
}

function withoutAlgorithm(digest: string): string {
  return digest.replace(/^sha256:/, '');
}
