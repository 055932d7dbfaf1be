/**
 * The anchors: which releases were deployed to a fleet, recorded where deployers write and droplets cannot, in the names of
 * tags of the DigitalOcean account. No resource has these tags.
 *
 *   do-deploy:release:APP:ENVIRONMENT:SEQUENCE:HASH
 *   do-deploy:release:APP:ENVIRONMENT:ROLE:SEQUENCE:HASH
 *
 * SEQUENCE counts the rollouts, so that their order depends on no clock. HASH is that of releaseHash. Tags are written and
 * deleted under the lease.
 */

import type { Settings } from '../../config/settings.js';
import { CloudError } from '../../errors.js';
import type { BeforeChange, Cloud } from '../../ports.js';
import { RELEASE_HASH_LENGTH } from '../release/release-hash.js';
import { CanaryRecord } from './canary-record.js';
import { repeatUnknown } from './repeat-unknown.js';
import { scopeOf } from './role-settings.js';

export interface Anchor {
  sequence: number;
  hash: string;
}

/** What is recorded of a fleet's releases: always read, and judged, together. */
export interface Recorded {
  /** Newest first. */
  anchored: readonly Anchor[];
  /** Hashes of the releases that are recorded as canaries, in whichever role of the environment. */
  canaries: readonly string[];
}

/** Anchors that stay: droplets made from an old image run a release that was deployed long ago. */
const KEPT = 10;

export class Anchors {
  readonly #cloud: Cloud;
  readonly #prefix: string;
  readonly #isFleet: boolean;
  readonly #isRole: boolean;
  readonly canary: CanaryRecord;

  /** @param isFleet false: a droplet without a balancer, which has no others to be protected from */
  constructor(cloud: Cloud, of: Pick<Settings, 'app' | 'environment' | 'role'>, isFleet: boolean) {
    this.#cloud = cloud;
    this.#prefix = `do-deploy:release:${of.app}:${scopeOf(of)}:`;
    this.#isFleet = isFleet;
    this.#isRole = of.role !== undefined;
    this.canary = new CanaryRecord(cloud, of);
  }

  /** Newest first. Throws CloudError. */
  async read(): Promise<Anchor[]> {
    return (await this.readWithCanaries()).anchored;
  }

  /** Also the releases that are held as canaries: DigitalOcean lists all tags at once. Throws CloudError. */
  async readWithCanaries(): Promise<Recorded & { anchored: Anchor[] }> {
    // The only droplet of a role may be one of those that hold a canary from before there were roles.
    if (!this.#isFleet && !this.#isRole) return { anchored: [], canaries: [] };
    const tags = await this.#cloud.listTags('do-deploy:');
    const canaries = this.canary.find(tags);
    if (!this.#isFleet) return { anchored: [], canaries };
    const own = tags.filter((tag) => tag.startsWith(this.#prefix));
    const anchored = own.flatMap((tag) => parseAnchor(tag.slice(this.#prefix.length)) ?? []).sort(newestFirst);
    return { anchored, canaries };
  }

  /** Idempotent. Throws CloudError, or what `before` throws. */
  async write(anchor: Anchor, before: BeforeChange): Promise<void> {
    if (this.#isFleet) await repeatUnknown(() => this.#cloud.createTag(this.#tag(anchor), before));
  }

  /** Idempotent. Throws CloudError, or what `before` throws. */
  async remove(anchor: Anchor, before: BeforeChange): Promise<void> {
    if (this.#isFleet) await repeatUnknown(() => this.#cloud.deleteTag(this.#tag(anchor), before));
  }

  /** Removes all but the newest. One that cannot be removed now is removed after a later rollout. */
  async prune(newestFirst: readonly Anchor[], before: BeforeChange): Promise<void> {
    for (const anchor of newestFirst.slice(KEPT)) {
      try {
        await this.remove(anchor, before);
      } catch (error) {
        if (!(error instanceof CloudError)) throw error;
      }
    }
  }

  #tag({ sequence, hash }: Anchor): string {
    return `${this.#prefix}${sequence}:${hash}`;
  }
}

/** "SEQUENCE:HASH"; undefined for anything else. */
function parseAnchor(text: string): Anchor | undefined {
  const match = new RegExp(`^([1-9]\\d{0,14}):([0-9a-f]{${RELEASE_HASH_LENGTH}})$`).exec(text);
  return match?.[1] && match[2] ? { sequence: Number(match[1]), hash: match[2] } : undefined;
}

function newestFirst(one: Anchor, other: Anchor): number {
  return other.sequence - one.sequence || (one.hash < other.hash ? -1 : 1);
}
