import type { BeforeChange } from '../../ports.js';
import { releaseHash } from '../release/release-hash.js';
import type { StoredRelease } from '../release/stored-release.js';
import type { Anchor, Anchors } from './anchors.js';

/**
 * The anchor that a deploy or rollback writes: as soon as its release is verified on a droplet, and taken back as soon as a
 * droplet had to go back to another release, or when the rollout has ended with a droplet on which it failed.
 */
export class GoalAnchor {
  readonly #anchors: Anchors;
  readonly #goal: { id: string; hash: string };
  /** Newest first. */
  #known: readonly Anchor[];
  /** Written by this run, or perhaps written: the answer may have been lost. */
  #own: Anchor | undefined;
  #withdrawn = false;
  #turn: Promise<void> = Promise.resolve();

  /** @param known as read under the lease */
  constructor(anchors: Anchors, known: readonly Anchor[], goal: StoredRelease) {
    this.#anchors = anchors;
    this.#known = known;
    this.#goal = { id: goal.id, hash: releaseHash(goal) };
  }

  /**
   * A droplet runs this release, verified: the goal of the rollout, or the one that it went back to. Throws CloudError, or
   * what `before` throws.
   */
  async verified(release: StoredRelease, before: BeforeChange): Promise<void> {
    await this.#inTurn(() => (release.id === this.#goal.id ? this.#write(before) : this.#withdraw(before)));
  }

  /**
   * The release has failed on a droplet, or by what was watched. Throws CloudError, or what `before` throws.
   * @param isGone no droplet runs it any more: then it does not count either if an earlier run has anchored it
   */
  async condemned(isGone: boolean, before: BeforeChange): Promise<void> {
    await this.#inTurn(async () => {
      await this.#withdraw(before);
      const [newest] = this.#known;
      if (isGone && newest?.hash === this.#goal.hash) await this.#anchors.remove(newest, before);
    });
  }

  // One after the other, though the droplets of a batch end at the same time.
  async #inTurn(task: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(task);
    this.#turn = turn.catch(() => {});
    await turn;
  }

  async #write(before: BeforeChange): Promise<void> {
    const [newest] = this.#known;
    if (this.#withdrawn || newest?.hash === this.#goal.hash) return;
    this.#own = { sequence: (newest?.sequence ?? 0) + 1, hash: this.#goal.hash };
    await this.#anchors.write(this.#own, before);
    this.#known = [this.#own, ...this.#known];
    await this.#anchors.prune(this.#known, before);
  }

  /** A release that was anchored before this run stays: other droplets have run it since. */
  async #withdraw(before: BeforeChange): Promise<void> {
    this.#withdrawn = true;
    if (this.#own === undefined) return;
    await this.#anchors.remove(this.#own, before);
    this.#known = this.#known.filter((one) => one !== this.#own);
    this.#own = undefined;
  }
}

/** What a run does with its anchor, or with those of all roles. */
export type AnchorOfRun = Pick<GoalAnchor, 'verified' | 'condemned'>;

/** The anchors of all roles are written, and taken back, together: the environment is on one release. */
export function together(anchors: readonly GoalAnchor[]): AnchorOfRun {
  return {
    async verified(release, before) {
      for (const anchor of anchors) await anchor.verified(release, before);
    },
    async condemned(isGone, before) {
      for (const anchor of anchors) await anchor.condemned(isGone, before);
    },
  };
}
