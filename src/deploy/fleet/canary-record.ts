/**
 * The record of a held canary: some droplets run a release that the fleet is not on, on purpose. Like the anchors it is the
 * name of a tag of the DigitalOcean account, which no resource has: droplets cannot write it, and every later run reads it.
 *
 *   do-deploy:canary:APP:ENVIRONMENT:HASH
 *
 * HASH is that of releaseHash. The tag is written before the first droplet leaves, and removed once no droplet runs the
 * release, or all do. It is of the environment, not of a role: a canary stays one when roles are added, renamed or taken away.
 * Earlier versions wrote do-deploy:canary:APP:ENVIRONMENT:ROLE:HASH, which is read and removed as well.
 */
import type { BeforeChange, Cloud } from '../../ports.js';
import { copyOf } from '../droplet/held-releases.js';
import { heldRelease, type Member, runningRelease } from '../droplet/member.js';
import { RELEASE_HASH_LENGTH, releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import { repeatUnknown } from './repeat-unknown.js';

export class CanaryRecord {
  readonly #cloud: Cloud;
  readonly #prefix: string;
  /** Names of the tags that were found, by hash. */
  readonly #found = new Map<string, Set<string>>();

  constructor(cloud: Cloud, { app, environment }: { app: string; environment: string }) {
    this.#cloud = cloud;
    this.#prefix = `do-deploy:canary:${app}:${environment}:`;
  }

  /**
   * The hashes of the releases that are held: of several, which only a lost answer can leave, all.
   * @param tags of the account
   */
  find(tags: readonly string[]): string[] {
    this.#found.clear();
    for (const tag of tags) {
      const hash = tag.startsWith(this.#prefix) ? HASH_OF_TAG.exec(tag.slice(this.#prefix.length))?.[1] : undefined;
      if (hash !== undefined) this.#found.set(hash, (this.#found.get(hash) ?? new Set()).add(tag));
    }
    return [...this.#found.keys()].sort();
  }

  /** Idempotent. Throws CloudError, or what `before` throws. */
  async write(hash: string, before: BeforeChange): Promise<void> {
    await repeatUnknown(() => this.#cloud.createTag(`${this.#prefix}${hash}`, before));
  }

  /** Idempotent. Throws CloudError, or what `before` throws. */
  async remove(hash: string, before: BeforeChange): Promise<void> {
    for (const tag of new Set([`${this.#prefix}${hash}`, ...(this.#found.get(hash) ?? [])])) {
      await repeatUnknown(() => this.#cloud.deleteTag(tag, before));
    }
  }
}

/** After the environment: with or without a role. */
const HASH_OF_TAG = new RegExp(`^(?:[^:]+:)?([0-9a-f]{${RELEASE_HASH_LENGTH}})$`);

/** A held canary, as far as the droplets that could be read show it. */
export interface Canary {
  hash: string;
  /** Absent: none of these droplets holds it. */
  release?: StoredRelease;
  /** Those that run it, or were being switched to it. */
  members: readonly Member[];
}

/** Undefined when none of these droplets runs one. Of several, that of the most droplets, with the droplets of all. */
export function canaryOn(members: readonly Member[], hashes: readonly string[]): Canary | undefined {
  const on = members.filter((member) => runsAny(member, hashes));
  if (on.length === 0) return undefined;
  const count = (hash: string) => on.filter((member) => runsHash(member, hash)).length;
  const [hash = ''] = [...hashes].sort((one, other) => count(other) - count(one));
  return { hash, release: copyOf(members, hash), members: on };
}

/** Whether the droplet runs the release with this hash, or was being switched to it. */
export function runsHash(member: Member, hash: string): boolean {
  return runsAny(member, [hash]);
}

/** Whether the droplet runs one of the releases, or was being switched to it. */
export function runsAny(member: Member, hashes: readonly string[]): boolean {
  const held = heldRelease(member, runningRelease(member));
  return held !== undefined && hashes.includes(releaseHash(held));
}
