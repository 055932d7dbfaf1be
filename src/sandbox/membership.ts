/** A droplet that joins or leaves a balancer. `sequence` increases with every request. */
export interface MembershipChange {
  sequence: number;
  dropletId: number;
  member: boolean;
}

/**
 * One view of a balancer's members: what was accepted, what GET shows, or what traffic follows. The views learn of
 * changes at different times and, if the delays are changed, in a different order. Per droplet, the latest request wins.
 */
export class MembershipView {
  readonly #members: Set<number>;
  readonly #latest = new Map<number, number>();

  constructor(dropletIds: Iterable<number> = []) {
    this.#members = new Set(dropletIds);
  }

  /** Returns whether the view has changed. */
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
