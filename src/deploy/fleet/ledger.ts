import { CloudError, DeployError } from '../../errors.js';
import type { BeforeChange, Cloud, Droplet } from '../../ports.js';
import type { ByHand } from '../../rollout/model.js';
import { byHandPrefix, byHandTag, readByHandTag } from './by-hand-tag.js';
import { repeatUnknown } from './repeat-unknown.js';

/** Tries of a change: one more for a lost answer, one more for a tag that was deleted meanwhile. */
const TRIES = 3;

/**
 * The rotation ledger: a tag at DigitalOcean on every droplet that is out. It is written before a droplet leaves and
 * removed after it has settled, so any later run, from any machine, sees a droplet that a crash left out.
 */
export class Ledger {
  readonly tag: string;
  readonly #cloud: Cloud;
  readonly #byHand: string;
  /** By droplet id: tags that say that it was taken out by hand, as last seen or written. */
  readonly #byHandTags = new Map<number, readonly string[]>();

  /** @param scope the environment, or `ENVIRONMENT:ROLE` */
  constructor(cloud: Cloud, app: string, scope: string) {
    this.#cloud = cloud;
    this.tag = `do-deploy:out:${app}:${scope}`;
    this.#byHand = byHandPrefix(app, scope);
  }

  has(droplet: Droplet): boolean {
    return droplet.tags.includes(this.tag);
  }

  /** That it was taken out by hand. While it is in rotation, the mark is left from a run that died, and means nothing. */
  byHand({ id, tags }: Droplet): ByHand | undefined {
    const found = tags.flatMap((tag) => {
      const mark = readByHandTag(this.#byHand, tag);
      return mark === undefined ? [] : [{ tag, mark }];
    });
    this.#byHandTags.set(
      id,
      found.map(({ tag }) => tag),
    );
    return found.map(({ mark }) => mark).sort((a, b) => (a.since < b.since ? 1 : -1))[0];
  }

  /**
   * Checks that the token may read tags. To a token without tag:read DigitalOcean shows droplets without their tags, as if
   * none were out. Throws DeployError ledger-forbidden.
   */
  async checkReadable(): Promise<void> {
    try {
      await this.#cloud.listDroplets({ tag: this.tag });
    } catch (error) {
      // Not found: the tag does not exist yet.
      if (error instanceof CloudError && error.kind === 'not-found') return;
      throw explained(
        error,
        'The token may not read tags, so do-deploy cannot see which droplets are out of rotation.',
      );
    }
  }

  /**
   * Checks that the token may tag droplets, without changing any: creates the tag, and removes it from a droplet that does
   * not have it, which takes the same scopes as the real changes. Throws DeployError ledger-forbidden.
   */
  async checkWritable(droplets: readonly Droplet[]): Promise<void> {
    try {
      await this.#cloud.createTag(this.tag);
      const clean = droplets.find((droplet) => !this.has(droplet));
      if (clean) await this.#cloud.untagDroplets(this.tag, [clean.id]);
    } catch (error) {
      throw explained(error, 'The token may not tag droplets, so do-deploy cannot record which are out of rotation.');
    }
  }

  /**
   * Marks the droplet out. Idempotent; after a lost answer, reads back and tries again.
   * @param before runs before each try; what it throws ends the tries
   */
  async write(dropletId: number, before?: BeforeChange): Promise<void> {
    await this.#change(this.tag, dropletId, true, before);
  }

  /** Marks a droplet, which is out, as taken out by hand. Otherwise like `write`. */
  async recordByHand(dropletId: number, mark: ByHand, before?: BeforeChange): Promise<void> {
    const tag = byHandTag(this.#byHand, mark);
    // Also if the answer is lost.
    this.#byHandTags.set(dropletId, [...(this.#byHandTags.get(dropletId) ?? []), tag]);
    await this.#change(tag, dropletId, true, before);
  }

  /** Clears the mark, and first that of a droplet that was taken out by hand. Otherwise like `write`. */
  async clear(dropletId: number, before?: BeforeChange): Promise<void> {
    await this.forgetByHand(dropletId, before);
    await this.#change(this.tag, dropletId, false, before);
  }

  /** Clears only the mark of a droplet that was taken out by hand, if it was last seen with one. Idempotent. */
  async forgetByHand(dropletId: number, before?: BeforeChange): Promise<void> {
    for (const tag of this.#byHandTags.get(dropletId) ?? []) {
      await repeatUnknown(() => this.#cloud.deleteTag(tag, before));
    }
    this.#byHandTags.delete(dropletId);
  }

  async #change(tag: string, dropletId: number, out: boolean, before?: BeforeChange): Promise<void> {
    const call = () =>
      out ? this.#cloud.tagDroplets(tag, [dropletId], before) : this.#cloud.untagDroplets(tag, [dropletId], before);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof CloudError) || attempt === TRIES) throw error;
        if (error.kind === 'not-found' && out) await this.#cloud.createTag(tag);
        else if (error.outcome !== 'unknown' && error.kind !== 'not-found') throw error;
        if ((await this.#cloud.getDroplet(dropletId)).tags.includes(tag) === out) return;
      }
    }
  }
}

/** A refusal by DigitalOcean with what it means and the missing scopes; any other error as it is. */
function explained(error: unknown, meaning: string): unknown {
  if (!(error instanceof CloudError) || error.kind !== 'forbidden') return error;
  return new DeployError('ledger-forbidden', `${meaning} ${error.message}`, {
    source: 'user',
    hint: 'Give the token the scopes tag:create, tag:delete, tag:read and droplet:update.',
    cause: error,
  });
}
