import { daemonError } from './failure.js';
import type { Image } from './image.js';
import { familiarName, parseReference, type Reference } from './reference.js';

/** An image on one droplet, with the names it goes by there. */
export interface LocalImage {
  image: Image;
  /** Familiar names with tags, `example/shop:v2`: RepoTags. */
  tags: Set<string>;
  /** Familiar names with digests: RepoDigests. */
  digests: Set<string>;
}

/** A container that keeps an image from being removed. */
export interface ImageUser {
  id: string;
  imageId: string;
  running: boolean;
}

/** The images of one droplet. */
export class ImageStore {
  readonly #images = new Map<string, LocalImage>();

  /** Newest first, as `docker image ls` shows them. */
  list(): LocalImage[] {
    return [...this.#images.values()].reverse();
  }

  /** Stores what a pull brought. A tag that named another image leaves it. */
  add(reference: Reference, image: Image): LocalImage {
    const local = this.#images.get(image.id) ?? { image, tags: new Set<string>(), digests: new Set<string>() };
    this.#images.set(image.id, local);
    const name = familiarName(reference.repository);
    local.digests.add(`${name}@${image.digest}`);
    if (reference.digest === undefined) {
      const tag = `${name}:${reference.tag}`;
      for (const other of this.#images.values()) other.tags.delete(tag);
      local.tags.add(tag);
    }
    return local;
  }

  /** Stores what was built here: it has no digest. A tag that named another image leaves it. */
  tag(name: string, image: Image): void {
    const local = this.#images.get(image.id) ?? { image, tags: new Set<string>(), digests: new Set<string>() };
    this.#images.set(image.id, local);
    const tag = nameOf(name);
    for (const other of this.#images.values()) other.tags.delete(tag);
    local.tags.add(tag);
  }

  /** By id (whole or its beginning), by tag or by digest. */
  find(text: string): LocalImage | undefined {
    const id = text.replace(/^sha256:/, '');
    if (/^[0-9a-f]{12,64}$/.test(id)) {
      const byId = this.list().find(({ image }) => image.id.startsWith(`sha256:${id}`));
      if (byId !== undefined) return byId;
    }
    const name = nameOf(text);
    return this.list().find(({ tags, digests }) => tags.has(name) || digests.has(name));
  }

  mustFind(text: string): LocalImage {
    const found = this.find(text);
    if (found === undefined)
      throw daemonError(`No such image: ${/^sha256:[0-9a-f]{64}$/.test(text) ? text : nameOf(text)}`);
    return found;
  }

  /** `docker image rm` without --force; gives the lines it prints. */
  remove(text: string, users: ImageUser[]): string[] {
    const local = this.mustFind(text);
    const user = users.find(({ imageId }) => imageId === local.image.id);
    const byId = local.image.id.startsWith(`sha256:${text.replace(/^sha256:/, '')}`);
    if (byId) return this.#removeById(local, user);
    return this.#removeByName(local, nameOf(text), user);
  }

  #removeById(local: LocalImage, user: ImageUser | undefined): string[] {
    const short = local.image.id.slice(7, 19);
    if (user !== undefined) {
      const force = user.running ? 'cannot be forced' : 'must be forced';
      const state = user.running ? 'running' : 'stopped';
      throw daemonError(
        `conflict: unable to delete ${short} (${force}) - image is being used by ${state} container ${user.id.slice(0, 12)}`,
        1,
      );
    }
    if (!isSingleReference(local)) {
      throw daemonError(
        `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
        1,
      );
    }
    return this.#delete(local);
  }

  #removeByName(local: LocalImage, name: string, user: ImageUser | undefined): string[] {
    if (isSingleReference(local) && user !== undefined) {
      throw daemonError(
        `conflict: unable to remove repository reference "${name}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${local.image.id.slice(7, 19)}`,
      );
    }
    const untagged = [name];
    // With the last tag of a repository go the digests of that repository.
    if (local.tags.delete(name) && ![...local.tags].some((tag) => repositoryOf(tag) === repositoryOf(name))) {
      untagged.push(...[...local.digests].filter((digest) => repositoryOf(digest) === repositoryOf(name)));
    }
    for (const one of untagged) local.digests.delete(one);
    const said = untagged.map((one) => `Untagged: ${one}`);
    return local.tags.size + local.digests.size > 0 ? said : [...said, ...this.#delete(local)];
  }

  #delete(local: LocalImage): string[] {
    this.#images.delete(local.image.id);
    return [...[...local.tags, ...local.digests].map((name) => `Untagged: ${name}`), `Deleted: ${local.image.id}`];
  }
}

function nameOf(text: string): string {
  const { repository, tag, digest } = parseReference(text);
  const name = familiarName(repository);
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}

/** At most one tag, and every name in one repository. Source: isSingleReference in moby's daemon/images/image_delete.go. */
function isSingleReference({ tags, digests }: LocalImage): boolean {
  return tags.size < 2 && new Set([...tags, ...digests].map(repositoryOf)).size < 2;
}

/** Of `example/shop:v2` and of `example/shop@sha256:…`. */
function repositoryOf(name: string): string {
  return name.replace(/@.*$|:[^:/]*$/, '');
}
