/** One SSH connection's link: alive, or dead with or without this end knowing it. */
import type { Deployer } from './deployer.js';
import type { Droplet, World } from './world.js';

/**
 * When a link goes dead without a word, this end notices by its keepalives: one every 5 s, three in a row unanswered
 * (the SSH adapter's setting).
 */
const NOTICE_MS = { soonest: 15_000, latest: 20_000 };

export interface OnLink {
  /** The link is gone: at the droplet's end, and (later, perhaps) at this one. */
  droppedThere(): void;
  droppedHere(): void;
}

export class Link {
  /** No byte passes any more. */
  dead = false;
  /** This end knows. */
  noticedAt = Number.POSITIVE_INFINITY;
  readonly users = new Set<OnLink>();

  constructor(
    readonly world: World,
    readonly deployer: Deployer,
    readonly droplet: Droplet,
  ) {
    deployer.links.add(this);
  }

  /** `openly`: both ends are told at once. `silently`: both find out by silence. */
  cut(how: 'openly' | 'silently'): void {
    if (this.dead) return;
    const { world, deployer } = this;
    this.dead = true;
    deployer.links.delete(this);
    const { soonest, latest } = NOTICE_MS;
    const notice = how === 'openly' ? 0 : soonest + Math.floor(world.chance() * (latest - soonest));
    this.noticedAt = world.time + notice;
    if (how === 'openly') for (const user of this.users) user.droppedThere();
    if (deployer.dead) return;
    if (notice === 0) this.#tell();
    else world.at(this.noticedAt, () => this.#tell());
  }

  #tell(): void {
    for (const user of this.users) user.droppedHere();
    this.users.clear();
  }
}
