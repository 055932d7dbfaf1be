/** One droplet joining or leaving a balancer. `sequence` grows with every request. */
export interface MembershipChange {
  sequence: number;
  dropletId: number;
  member: boolean;
}

/**
 * One opinion of who belongs to a balancer: what was asked for, what GET shows, or what traffic follows. The opinions
 * learn of a change at different times; when delays are changed meanwhile even in another order. Per droplet, the
 * latest request wins.
 */
export class MembershipView {
  readonly #members: Set<number>;
  readonly #latest = new Map<number, number>();

  constructor(dropletIds: Iterable<number> = []) {
    this.#members = new Set(dropletIds);
  }

  /** Returns whether the view is another one now. */
  apply(change: MembershipChange): boolean {
    if ((this.#latest.get(change.dropletId) ?? -1) > change.sequence) return false;
    this.#latest.set(change.dropletId, change.sequence);
    if (this.#members.has(change.dropletId) === change.member) return false;
    if (change.member) this.#members.add(change.dropletId);
    else this.#members.delete(change.dropletId);
    return true;
  }

  has(dropletId: number): boolean {
    return this.#members.has(dropletId);
  }

  /** In the order in which they joined. */
  get ids(): number[] {
    return [...this.#members];
  }

  get size(): number {
    return this.#members.size;
  }
}
