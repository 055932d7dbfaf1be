/**
 * The rotation ledger: who is out, kept in DigitalOcean itself as a tag on the droplet. Written before a droplet
 * leaves and removed after it has settled, so that any later run, from any machine, sees a droplet that a crash left out.
 */

import { CloudError, DeployError } from '../../errors.js';
import type { BeforeChange, Cloud, Droplet } from '../../ports.js';
export class Ledger {
  readonly tag: string;
  readonly #cloud: Cloud;

  constructor(cloud: Cloud, app: string, environment: string) {
    this.#cloud = cloud;
    this.tag = `do-deploy:out:${app}:${environment}`;
  }

  has(droplet: Droplet): boolean {
    return droplet.tags.includes(this.tag);
  }

  /**
   * Proves that the token may read the ledger: to one without tag:read DigitalOcean shows droplets without their tags, as
   * if none were out. Throws DeployError ledger-forbidden.
   */
  async checkReadable(): Promise<void> {
    try {
      await this.#cloud.listDroplets({ tag: this.tag });
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      // Nobody has made the tag yet.
      if (error.kind === 'not-found') return;
      if (error.kind !== 'forbidden') throw error;
      const what = 'The token may not read tags, so do-deploy could not see which droplets are out of rotation.';
      throw forbidden(`${what} ${error.message}`, error);
    }
  }

  /**
   * Proves before anything is changed that the token may write the ledger: the tag is created, and taken from a droplet
   * that does not carry it, which changes nothing and needs the same scopes as the real calls.
   */
  async prove(droplets: readonly Droplet[]): Promise<void> {
    try {
      await this.#cloud.createTag(this.tag);
      const clean = droplets.find((droplet) => !this.has(droplet));
      if (clean) await this.#cloud.untagDroplets(this.tag, [clean.id]);
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'forbidden') {
        const what =
          'The token may not tag droplets, so do-deploy could not keep track of a droplet that is out of rotation.';
        throw forbidden(`${what} ${error.message}`, error);
      }
      throw error;
    }
  }

  /**
   * Repeatable: tagging twice is tagging once. A lost answer is read back.
   * @param before asked before each try; what it throws ends them
   */
  async write(dropletId: number, before?: BeforeChange): Promise<void> {
    await this.#change(dropletId, true, before);
  }

  async clear(dropletId: number, before?: BeforeChange): Promise<void> {
    await this.#change(dropletId, false, before);
  }

  async #change(dropletId: number, out: boolean, before?: BeforeChange): Promise<void> {
    const call = () =>
      out
        ? this.#cloud.tagDroplets(this.tag, [dropletId], before)
        : this.#cloud.untagDroplets(this.tag, [dropletId], before);
    // Two tries: the second is for an answer that was lost, or a tag that somebody deleted meanwhile.
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof CloudError) || attempt === 3) throw error;
        if (error.kind === 'not-found' && out) await this.#cloud.createTag(this.tag);
        else if (error.outcome !== 'unknown' && error.kind !== 'not-found') throw error;
        if (this.has(await this.#cloud.getDroplet(dropletId)) === out) return;
      }
    }
  }
}

function forbidden(message: string, cause: CloudError): DeployError {
  return new DeployError('ledger-forbidden', message, {
    source: 'user',
    hint: 'Give the token the scopes tag:create, tag:delete, tag:read and droplet:update.',
    cause,
  });
}
