/**
 * The lease: one deploy of an app at a time. A process on each droplet holds a lock while it hears heartbeats from here;
 * when this end dies, the lock is free within seconds, and nothing has to be cleaned up.
 */

import { DeployError } from '../../errors.js';
import type { Clock, HeldProcess } from '../../ports.js';
import type { Member } from '../droplet/member.js';
import { BEAT, FAREWELL, type Holder, holdLeaseCommand, LEASE_SILENCE_SECONDS, readHolder } from './lease-commands.js';

const BEAT_EVERY_MS = 4_000;

const ANSWER_WITHIN_MS = 20_000;

/** Two beats may go unanswered; and this much before the lock is free, it no longer counts as held. */
const HEARD_WITHIN_MS = LEASE_SILENCE_SECONDS * 1_000 - 5_000;

const RETRY_EVERY_MS = 3_000;

export class Lease {
  readonly #clock: Clock;
  readonly #app: string;
  readonly #holder: Holder;
  readonly #rotation: boolean;
  readonly #held = new Map<number, HeldProcess>();
  /** Also those that have not answered yet: the silence that frees the lock begins with the process, not with its answer. */
  readonly #spokenTo = new Set<HeldProcess>();
  readonly #members = new Map<number, Member>();
  readonly #stopped = new AbortController();

  private constructor(clock: Clock, app: string, holder: Holder, rotation: boolean) {
    this.#clock = clock;
    this.#app = app;
    this.#holder = { ...holder, app };
    this.#rotation = rotation;
  }

  /**
   * Takes the lease on every droplet, or on none. The droplet with the lowest id is taken first and alone: of two
   * deployers that start at the same moment exactly one gets past it.
   * @param waitMs how long to wait for another run to end; 0: not at all
   * @param rotation the droplets leave rotation, with all apps that they serve: none of those may be deployed meanwhile
   * @throws DeployError lease-held, naming the other run
   */
  static async acquire(
    members: readonly Member[],
    app: string,
    holder: Holder,
    options: {
      clock: Clock;
      waitMs: number;
      rotation: boolean;
      onWait?: (other: Holder | undefined) => void;
      signal?: AbortSignal;
    },
  ): Promise<Lease> {
    const { clock, waitMs } = options;
    const deadline = clock.now() + waitMs;
    for (let told = false; ; told = true) {
      const lease = new Lease(clock, app, holder, options.rotation);
      // From the first lock on: taking the others may last longer than the silence that frees it.
      void lease.#beat();
      try {
        await lease.#takeAll([...members].sort((a, b) => a.droplet.id - b.droplet.id));
        return lease;
      } catch (error) {
        await lease.release();
        const busy = error instanceof LeaseBusy;
        if (!busy || clock.now() >= deadline || options.signal?.aborted) throw error;
        if (!told) options.onWait?.(error.other);
        await clock.sleep(RETRY_EVERY_MS, options.signal);
      }
    }
  }

  async #takeAll(members: readonly Member[]): Promise<void> {
    const [first, ...others] = members;
    if (first === undefined) return;
    await this.#take(first);
    const taken = await Promise.allSettled(others.map((member) => this.#take(member)));
    const refused = taken.find((result) => result.status === 'rejected');
    if (refused) throw refused.reason;
  }

  /** @returns who held it last */
  async #take(member: Member): Promise<Holder | undefined> {
    this.#members.set(member.droplet.id, member);
    const process = await member.connection.hold(holdLeaseCommand(this.#app, this.#holder, this.#rotation));
    this.#spokenTo.add(process);
    try {
      const last = await this.#answer(member, process);
      this.#held.set(member.droplet.id, process);
      void this.#hear(member.droplet.id, process);
      return last;
    } catch (error) {
      this.#spokenTo.delete(process);
      throw error;
    }
  }

  /** Waits until it holds the lock. */
  async #answer(member: Member, process: HeldProcess): Promise<Holder | undefined> {
    let last: Holder | undefined;
    for (;;) {
      const line = await process.nextLine(ANSWER_WITHIN_MS);
      if (line === 'held') return last;
      if (line?.startsWith('last')) last = readHolder(line);
      else if (line?.startsWith('busy')) throw new LeaseBusy(member.host.name, readHolder(line), this.#app);
      else if (line === undefined) {
        const { code, reason } = await process.ended;
        throw new DeployError(
          'lease-failed',
          `The lock on ${member.host.name} cannot be taken: ${code === 69 ? 'flock is not installed' : reason}.`,
          {
            droplet: member.host.name,
            hint: code === 69 ? 'Install util-linux on the droplet.' : 'Run again with --verbose.',
          },
        );
      }
    }
  }

  /**
   * The lease counts as held only while its process answers. A connection can be dead for long before this end notices;
   * but then the answers stop, and stop for this end before the silence frees the lock for others.
   */
  async #hear(dropletId: number, process: HeldProcess): Promise<void> {
    try {
      while ((await process.nextLine(HEARD_WITHIN_MS)) !== undefined);
    } catch {
      // Silence, or a lost connection: the same.
    }
    this.#spokenTo.delete(process);
    if (this.#held.get(dropletId) !== process) return;
    this.#held.delete(dropletId);
    await process.close();
  }

  async #beat(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      for (const process of this.#spokenTo) process.write(BEAT);
      await this.#clock.sleep(BEAT_EVERY_MS, this.#stopped.signal);
    }
  }

  /**
   * To be asked before every change to a droplet. A lease that was lost with its connection is taken again, and counts
   * as never lost if nobody else held it in between.
   * @throws DeployError lease-lost
   */
  async ensure(dropletId: number): Promise<void> {
    const member = this.#members.get(dropletId);
    if (member === undefined || this.#held.has(dropletId)) return;
    try {
      const last = await this.#retake(member);
      if (last === undefined || last.run === this.#holder.run) return;
      throw new LeaseBusy(member.host.name, last, this.#app);
    } catch (error) {
      if (!(error instanceof LeaseBusy)) throw error;
      throw leaseLost(member.host.name, error);
    }
  }

  /** The lock may still be held by this run's own former process, until it has noticed the silence. */
  async #retake(member: Member): Promise<Holder | undefined> {
    const deadline = this.#clock.now() + (LEASE_SILENCE_SECONDS + 5) * 1_000;
    for (;;) {
      try {
        return await this.#take(member);
      } catch (error) {
        const own = error instanceof LeaseBusy && error.other?.run === this.#holder.run;
        if (!own || this.#clock.now() >= deadline) throw error;
        await this.#clock.sleep(1_000);
      }
    }
  }

  async release(): Promise<void> {
    this.#stopped.abort();
    const processes = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(
      processes.map(async (process) => {
        process.write(FAREWELL);
        await process.close();
      }),
    );
  }
}

class LeaseBusy extends DeployError {
  readonly other: Holder | undefined;

  constructor(droplet: string, other: Holder | undefined, app: string) {
    const of =
      other?.app === undefined || other.app === app ? '' : ` of ${other.app}, which leaves rotation with ${app}`;
    super('lease-held', `Another deploy${of} is under way${describeHolder(other)}.`, {
      droplet,
      hint: 'Wait for it with --wait-lock 10m. If its process is gone, the lock frees itself within 15 s.',
    });
    this.other = other;
  }
}

export function leaseLost(droplet: string, cause?: unknown): DeployError {
  const other = cause instanceof LeaseBusy ? cause.other : undefined;
  return new DeployError('lease-lost', `${lossOf(droplet, other)} It changes nothing more.`, {
    droplet,
    hint: 'Wait for the other run to end, then look with `do-deploy status`.',
    cause,
  });
}

function lossOf(droplet: string, other: Holder | undefined): string {
  if (other?.broke) return `This run’s lock on ${droplet} was broken by ${other.who}.`;
  return `This run lost its lock on ${droplet} to another one${describeHolder(other)}.`;
}

export function describeHolder(holder: Holder | undefined): string {
  if (holder === undefined) return '';
  const url = holder.url === undefined ? '' : `, ${holder.url}`;
  return `: ${holder.who}, release ${holder.release}, since ${holder.since}${url}`;
}
