import { daemonError } from './failure.js';
import type { Image } from './image.js';
import { familiarName, parseReference, type Reference } from './reference.js';

/** An image on one droplet, with its local names. */
export interface LocalImage {
  image: Image;
  /** RepoTags: familiar names with tags, `example/shop:v2`. */
  tags: Set<string>;
  /** RepoDigests: familiar names with digests. */
  digests: Set<string>;
}

/** A container that prevents an image from being removed. */
export interface ImageUser {
  id: string;
  imageId: string;
  running: boolean;
}

/** The images of one droplet. */
export class ImageStore {
  readonly #images = new Map<string, LocalImage>();
  readonly #changed: (images: readonly LocalImage[]) => void;

  /** @param changed called with all images after one has come or gone */
  constructor(changed: (images: readonly LocalImage[]) => void = () => {}) {
    this.#changed = changed;
  }

  /** Newest first, like `docker image ls`. */
  list(): LocalImage[] {
    return [...this.#images.values()].reverse();
  }

  /** Stores a pulled image. If the tag named another image, it is moved. */
  add({ repository, tag, digest }: Reference, image: Image): LocalImage {
    const name = familiarName(repository);
    const local = this.#store(image, digest === undefined ? `${name}:${tag}` : undefined);
    local.digests.add(`${name}@${image.digest}`);
    return local;
  }

  /** Names an image, which is new if it was built. If the tag named another image, it is moved. */
  tag(name: string, image: Image): void {
    this.#store(image, nameOf(name));
  }

  /** By id (whole or its beginning), tag or digest. */
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

  /** `docker image rm` without --force. Returns the lines that it prints. */
  remove(text: string, users: ImageUser[]): string[] {
    const local = this.mustFind(text);
    const user = users.find(({ imageId }) => imageId === local.image.id);
    const byId = local.image.id.startsWith(`sha256:${text.replace(/^sha256:/, '')}`);
    return byId ? this.#removeById(local, user) : this.#removeByName(local, nameOf(text), user);
  }

  #store(image: Image, tag: string | undefined): LocalImage {
    const known = this.#images.get(image.id);
    const local = known ?? { image, tags: new Set<string>(), digests: new Set<string>() };
    if (known === undefined) {
      this.#images.set(image.id, local);
      this.#changed(this.list());
    }
    if (tag !== undefined) {
      for (const other of this.#images.values()) other.tags.delete(tag);
      local.tags.add(tag);
    }
    return local;
  }

  #removeById(local: LocalImage, user: ImageUser | undefined): string[] {
    const refuse = (how: string, why: string) =>
      daemonError(`conflict: unable to delete ${local.image.id.slice(7, 19)} (${how}) - image is ${why}`);
    if (user !== undefined) {
      const [how, state] = user.running ? ['cannot be forced', 'running'] : ['must be forced', 'stopped'];
      throw refuse(how, `being used by ${state} container ${user.id.slice(0, 12)}`);
    }
    if (!isSingleReference(local)) throw refuse('must be forced', 'referenced in multiple repositories');
    return this.#delete(local);
  }

  #removeByName(local: LocalImage, name: string, user: ImageUser | undefined): string[] {
    if (isSingleReference(local) && user !== undefined) {
      throw daemonError(
        `conflict: unable to remove repository reference "${name}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${local.image.id.slice(7, 19)}`,
      );
    }
    const untagged = [name];
    // The last tag of a repository takes that repository's digests along.
    if (local.tags.delete(name) && ![...local.tags].some((tag) => repositoryOf(tag) === repositoryOf(name))) {
      untagged.push(...[...local.digests].filter((digest) => repositoryOf(digest) === repositoryOf(name)));
    }
    for (const one of untagged) local.digests.delete(one);
    const lines = untagged.map((one) => `Untagged: ${one}`);
    return local.tags.size + local.digests.size > 0 ? lines : [...lines, ...this.#delete(local)];
  }

  #delete(local: LocalImage): string[] {
    this.#images.delete(local.image.id);
    this.#changed(this.list());
    return [...[...local.tags, ...local.digests].map((name) => `Untagged: ${name}`), `Deleted: ${local.image.id}`];
  }
}

function nameOf(text: string): string {
  const { repository, tag, digest } = parseReference(text);
  const name = familiarName(repository);
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}

/** At most one tag, and all names in one repository. Source: isSingleReference in moby's daemon/images/image_delete.go. */
function isSingleReference({ tags, digests }: LocalImage): boolean {
  return tags.size < 2 && new Set([...tags, ...digests].map(repositoryOf)).size < 2;
}

/** Of `example/shop:v2` or `example/shop@sha256:…`. */
function repositoryOf(name: string): string {
  return name.replace(/@.*$|:[^:/]*$/, '');
}
