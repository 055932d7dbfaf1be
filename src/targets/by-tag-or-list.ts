/**
 * Droplets without a balancer that do the same work, such as workers of a queue: all that have a tag, or those of a list.
 * None leaves or rejoins anything, but only some of them change at a time.
 */

import { DeployError } from '../errors.js';
import type { Cloud, Droplet } from '../ports.js';
import type { FleetMembership, LedgerTags } from './target.js';
import { WithoutBalancer } from './without-balancer.js';

export class WorkersTarget extends WithoutBalancer {
  readonly description: string;
  readonly isFleet = true;
  readonly #cloud: Cloud;
  readonly #ledger: LedgerTags;
  readonly #isChosen: (droplet: Droplet) => boolean;

  /**
   * @param description for people: `tag "workers"`
   * @param isChosen whether the droplet belongs to the environment
   */
  constructor(cloud: Cloud, ledger: LedgerTags, description: string, isChosen: (droplet: Droplet) => boolean) {
    super();
    this.#cloud = cloud;
    this.#ledger = ledger;
    this.description = description;
    this.#isChosen = isChosen;
  }

  /** The chosen droplets and those in the ledger, so that one that a crash left half-changed is still seen. */
  async readMembership(): Promise<FleetMembership> {
    const droplets = await this.#cloud.listDroplets();
    return {
      droplets: droplets
        .filter((droplet) => this.#isChosen(droplet) || this.#ledger.has(droplet))
        .sort((a, b) => a.id - b.id)
        .map((droplet) => ({ droplet, rotation: 'none', inLedger: this.#ledger.has(droplet) })),
    };
  }
}

/** DigitalOcean treats tags that differ only in capital letters as one. */
export function workersByTag(cloud: Cloud, ledger: LedgerTags, tag: string): WorkersTarget {
  const wanted = tag.toLowerCase();
  return new WorkersTarget(cloud, ledger, `tag "${tag}"`, ({ tags }) =>
    tags.some((one) => one.toLowerCase() === wanted),
  );
}

/**
 * @param written ids, or names that only one droplet of the account has
 * @throws DeployError droplet-not-found or droplet-ambiguous, which names all that are wrong
 */
export async function workersByList(
  cloud: Cloud,
  ledger: LedgerTags,
  written: readonly (number | string)[],
): Promise<WorkersTarget> {
  const droplets = await cloud.listDroplets();
  const found = written.map((ref) => {
    return { ref, droplets: droplets.filter(({ id, name }) => (typeof ref === 'number' ? id === ref : name === ref)) };
  });
  const missing = found.filter((one) => one.droplets.length === 0).map(({ ref }) => String(ref));
  if (missing.length > 0) {
    throw new DeployError(
      'droplet-not-found',
      `There ${missing.length === 1 ? 'is no droplet' : 'are no droplets'} ${missing.join(', ')}.`,
      {
        source: 'user',
        hint: 'Remove them from droplets: in the configuration file, or correct them: doctl compute droplet list --format ID,Name',
      },
    );
  }
  const ambiguous = found.filter((one) => one.droplets.length > 1);
  if (ambiguous.length > 0) {
    const names = ambiguous.map(({ ref, droplets }) => `"${ref}" (${droplets.map(({ id }) => id).join(', ')})`);
    throw new DeployError('droplet-ambiguous', `Several droplets have the same name: ${names.join('; ')}.`, {
      source: 'user',
      hint: 'Write their ids in droplets: in the configuration file instead.',
    });
  }
  const ids = new Set(found.flatMap((one) => one.droplets.map(({ id }) => id)));
  const description = ids.size === 1 ? '1 listed droplet' : `${ids.size} listed droplets`;
  return new WorkersTarget(cloud, ledger, description, ({ id }) => ids.has(id));
}
