/**
 * The record of a held canary: some droplets run a release that the fleet is not on, on purpose. Like the anchors it is the
 * name of a tag of the DigitalOcean account, which no resource has: droplets cannot write it, and every later run reads it.
 *
 *   do-deploy:canary:APP:ENVIRONMENT:HASH
 *
 * HASH is that of releaseHash. The tag is written before the first droplet leaves, and removed once no droplet runs the
 * release, or all do.
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

  /** @param of.scope the environment */
  constructor(cloud: Cloud, { app, scope }: { app: string; scope: string }) {
    this.#cloud = cloud;
    this.#prefix = `do-deploy:canary:${app}:${scope}:`;
  }

  /**
   * The hash of the release that is held. Of several, which only a lost answer can leave, the first.
   * @param tags of the account
   */
  find(tags: readonly string[]): string | undefined {
    const own = tags.filter((tag) => tag.startsWith(this.#prefix)).map((tag) => tag.slice(this.#prefix.length));
    return own.sort().find((hash) => new RegExp(`^[0-9a-f]{${RELEASE_HASH_LENGTH}}$`).test(hash));
  }

  /** Idempotent. Throws CloudError, or what `before` throws. */
  async write(hash: string, before: BeforeChange): Promise<void> {
    await repeatUnknown(() => this.#cloud.createTag(`${this.#prefix}${hash}`, before));
  }

  /** Idempotent. Throws CloudError, or what `before` throws. */
  async remove(hash: string, before: BeforeChange): Promise<void> {
    await repeatUnknown(() => this.#cloud.deleteTag(`${this.#prefix}${hash}`, before));
  }
}

/** A held canary, as far as the droplets that could be read show it. */
export interface Canary {
  hash: string;
  /** Absent: none of these droplets holds it. */
  release?: StoredRelease;
  /** Those that run it, or were being switched to it. */
  members: readonly Member[];
}

export function canaryOn(members: readonly Member[], hash: string): Canary {
  return { hash, release: copyOf(members, hash), members: members.filter((member) => runsHash(member, hash)) };
}

/** Whether the droplet runs the release with this hash, or was being switched to it. */
export function runsHash(member: Member, hash: string): boolean {
  const held = heldRelease(member, runningRelease(member));
  return held !== undefined && releaseHash(held) === hash;
}
