import { daemonError } from './failure.js';
import type { Image } from './image.js';
import { familiarName, type Reference } from './reference.js';

export interface Credentials {
  username: string;
  password: string;
}

/**
 * The registries that the region's droplets can reach. With credentials, every repository except the official ones
 * (docker.io/library/…) is private. Images are immutable, tags can move.
 */
export class Registry {
  readonly #repositories = new Map<string, { tags: Map<string, string>; manifests: Map<string, Image> }>();
  readonly #credentials: Credentials | undefined;
  #running = true;

  constructor(options: { credentials?: Credentials } = {}) {
    this.#credentials = options.credentials;
  }

  /** Adds the image under the tag; an existing tag is moved. */
  push(repository: string, tag: string, image: Image): void {
    const found = this.#repositories.get(repository) ?? { tags: new Map(), manifests: new Map() };
    found.tags.set(tag, image.digest);
    found.manifests.set(image.digest, image);
    this.#repositories.set(repository, found);
  }

  /** Points `tag` to the image that `existing` names now. */
  moveTag(repository: string, tag: string, existing: string): void {
    const image = this.#lookUp(repository, existing);
    if (image === undefined) throw new Error(`the registry has no ${repository}:${existing}`);
    this.push(repository, tag, image);
  }

  /** A stopped registry refuses connections. */
  stop(): void {
    this.#running = false;
  }

  start(): void {
    this.#running = true;
  }

  /** Throws with the message of `docker login`. */
  logIn(domain: string, given: Credentials): void {
    this.#mustAnswer(domain);
    if (this.#credentials !== undefined && !this.#accepts(given)) {
      throw daemonError(`Get "https://${apiHost(domain)}/v2/": unauthorized: incorrect username or password`);
    }
  }

  /** The image that a reference names now. Throws with the message of `docker pull`. */
  fetch(reference: Reference, given: Credentials | undefined): Image {
    this.#mustAnswer(reference.domain);
    const { repository } = reference;
    const known = this.#repositories.has(repository);
    if (!known || (this.#isPrivate(repository) && !(given && this.#accepts(given)))) throw pullDenied(repository);

    const image = this.#lookUp(repository, reference.digest ?? reference.tag ?? 'latest');
    if (image === undefined) throw manifestUnknown(reference);
    return image;
  }

  #lookUp(repository: string, tagOrDigest: string): Image | undefined {
    const found = this.#repositories.get(repository);
    return found?.manifests.get(found.tags.get(tagOrDigest) ?? tagOrDigest);
  }

  #mustAnswer(domain: string): void {
    const host = apiHost(domain);
    const known =
      domain === 'docker.io' || [...this.#repositories.keys()].some((name) => name.startsWith(`${domain}/`));
    if (!known) throw daemonError(`Get "https://${host}/v2/": dial tcp: lookup ${host}: no such host`);
    if (!this.#running) {
      throw daemonError(`Get "https://${host}/v2/": dial tcp 203.0.113.250:443: connect: connection refused`);
    }
  }

  #isPrivate(repository: string): boolean {
    return this.#credentials !== undefined && !repository.startsWith('docker.io/library/');
  }

  #accepts(given: Credentials): boolean {
    return given.username === this.#credentials?.username && given.password === this.#credentials.password;
  }
}

export function pullDenied(repository: string) {
  return daemonError(
    `pull access denied for ${familiarName(repository)}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
  );
}

export function manifestUnknown(reference: Reference) {
  const name = familiarName(reference.repository);
  const what = reference.digest === undefined ? `${name}:${reference.tag}` : `${name}@${reference.digest}`;
  return daemonError(`manifest for ${what} not found: manifest unknown: manifest unknown`);
}

function apiHost(domain: string): string {
  return domain === 'docker.io' ? 'registry-1.docker.io' : domain;
}
