/**
 * The lease: one deploy of an app at a time. A process on each droplet holds a lock while it receives heartbeats from
 * this end. If this end dies, the lock is free within 15 s, and nothing has to be cleaned up.
 */

import { DeployError } from '../../errors.js';
import type { Clock, HeldProcess } from '../../ports.js';
import { loginTo, type Member } from '../droplet/member.js';
import {
  BEAT,
  FAREWELL,
  type Holder,
  holdLeaseCommand,
  LEASE_SILENCE_SECONDS,
  NO_FLOCK,
  readHolder,
} from './lease-commands.js';
import { BAD_LOCK_FOLDER } from './lock-folder.js';

const BEAT_INTERVAL_MS = 4_000;

const ANSWER_TIMEOUT_MS = 20_000;

/**
 * Without an answer to a heartbeat for this long, the lock no longer counts as held: 5 s before the droplet frees it.
 * Two heartbeats may go unanswered.
 */
const TRUST_MS = LEASE_SILENCE_SECONDS * 1_000 - 5_000;

const BUSY_RETRY_INTERVAL_MS = 3_000;

const OWN_RETRY_INTERVAL_MS = 1_000;

interface Held {
  process: HeldProcess;
  /** Time of the last answer, by this end's clock. */
  heardAt: number;
}

export class Lease {
  readonly #clock: Clock;
  readonly #app: string;
  readonly #holder: Holder;
  readonly #rotation: boolean;
  readonly #held = new Map<number, Held>();
  /** Includes processes that have not answered yet: the silence that frees the lock starts with the process. */
  readonly #beaten = new Set<HeldProcess>();
  readonly #members = new Map<number, Member>();
  readonly #retaking = new Map<number, Promise<void>>();
  readonly #released = new AbortController();
  #beatAt: number;
  /** Heartbeats were late for so long that the lock may have been freed: this process was stopped, or its machine slept. */
  #stalled = false;

  private constructor(clock: Clock, app: string, holder: Holder, rotation: boolean) {
    this.#clock = clock;
    this.#app = app;
    this.#holder = { ...holder, app };
    this.#rotation = rotation;
    this.#beatAt = clock.now();
  }

  /**
   * Takes the lease on every droplet, or on none. The droplet with the lowest id is taken first and alone: of two
   * deployers that start at the same moment exactly one passes it.
   * @param options.waitMs how long to wait for another run to end; 0: not at all
   * @param options.rotation also locks out deploys of other apps on the droplets, which leave rotation with this one
   * @throws DeployError lease-held, naming the other run; lease-failed
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
    for (let first = true; ; first = false) {
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
        if (first) options.onWait?.(error.other);
        await clock.sleep(BUSY_RETRY_INTERVAL_MS, options.signal);
      }
    }
  }

  async #takeAll(members: readonly Member[]): Promise<void> {
    const [first, ...others] = members;
    if (first === undefined) return;
    await this.#take(first, false);
    const taken = await Promise.allSettled(others.map((member) => this.#take(member, false)));
    const refused = taken.find((result) => result.status === 'rejected');
    if (refused) throw refused.reason;
  }

  /**
   * After a lost connection this run's own former process may still hold the lock, until it has noticed the silence.
   * @param again this run held the lock before: taken only if no other run has had it since
   */
  async #take(member: Member, again: boolean): Promise<void> {
    this.#members.set(member.droplet.id, member);
    const deadline = this.#clock.now() + (LEASE_SILENCE_SECONDS + 5) * 1_000;
    for (;;) {
      try {
        return await this.#hold(member, again);
      } catch (error) {
        const own = error instanceof LeaseBusy && error.other?.run === this.#holder.run;
        if (!own || this.#clock.now() >= deadline) throw error;
        await this.#clock.sleep(OWN_RETRY_INTERVAL_MS);
      }
    }
  }

  async #hold(member: Member, again: boolean): Promise<void> {
    const command = holdLeaseCommand(this.#app, this.#holder, { rotation: this.#rotation, again });
    const process = await member.connection.hold(command);
    this.#beaten.add(process);
    try {
      await this.#answer(member, process);
    } catch (error) {
      this.#beaten.delete(process);
      throw error;
    }
    const held = { process, heardAt: this.#clock.now() };
    this.#held.set(member.droplet.id, held);
    void this.#hear(member.droplet.id, held);
  }

  /** Waits until the process holds the lock. Throws LeaseBusy, or DeployError lease-failed. */
  async #answer(member: Member, process: HeldProcess): Promise<void> {
    for (let last = ''; ; ) {
      const line = await process.nextLine(ANSWER_TIMEOUT_MS);
      if (line === 'held') return;
      if (line === undefined) throw notTaken(member, last, await process.ended);
      if (/^(busy|lost)\b/.test(line)) throw new LeaseBusy(member.host.name, readHolder(line), this.#app);
      last = line;
    }
  }

  /**
   * The lock counts as held only while its process answers: a connection can be dead long before this end notices, and
   * the answers stop before the droplet frees the lock for others.
   */
  async #hear(dropletId: number, held: Held): Promise<void> {
    try {
      while ((await held.process.nextLine(TRUST_MS)) !== undefined) held.heardAt = this.#clock.now();
    } catch {
      // Silence and a lost connection mean the same.
    }
    await this.#drop(dropletId, held);
  }

  async #drop(dropletId: number, { process }: Held): Promise<void> {
    this.#beaten.delete(process);
    if (this.#held.get(dropletId)?.process !== process) return;
    this.#held.delete(dropletId);
    await process.close();
  }

  async #beat(): Promise<void> {
    while (!this.#released.signal.aborted) {
      this.#notice();
      this.#beatAt = this.#clock.now();
      for (const process of this.#beaten) process.write(BEAT);
      await this.#clock.sleep(BEAT_INTERVAL_MS, this.#released.signal);
    }
  }

  #notice(): void {
    this.#stalled ||= this.#clock.now() - this.#beatAt > TRUST_MS;
  }

  /**
   * To be called before every change to a droplet. A lock that was lost with its connection is taken again, and counts
   * as never lost if no other run held it in between.
   * @throws DeployError lease-lost, or lease-failed
   */
  async ensure(dropletId: number): Promise<void> {
    const member = this.#members.get(dropletId);
    if (member === undefined) throw new Error(`there is no lease on droplet ${dropletId}`);
    if (this.#released.signal.aborted) throw leaseLost(member.host.name);
    const held = this.#held.get(dropletId);
    // A machine that was suspended, or a stopped process, comes here before it has noticed the silence.
    if (held !== undefined && this.#clock.now() - held.heardAt < TRUST_MS) return;
    // Steps that ask at the same moment share one attempt: two would lock each other out.
    const retaking = this.#retaking.get(dropletId) ?? this.#retake(member, held);
    this.#retaking.set(dropletId, retaking);
    await retaking.finally(() => this.#retaking.delete(dropletId));
  }

  /**
   * After a failed step: the loss of the lock, where that explains the failure. A process that was stopped for long finds
   * first that its commands have timed out.
   */
  async lossOn(dropletId: number): Promise<DeployError | undefined> {
    this.#notice();
    if (!this.#stalled) return undefined;
    try {
      await this.ensure(dropletId);
    } catch (error) {
      if (error instanceof DeployError && error.code === 'lease-lost') return error;
    }
    return undefined;
  }

  async #retake(member: Member, held: Held | undefined): Promise<void> {
    try {
      if (held !== undefined) await this.#drop(member.droplet.id, held);
      await this.#take(member, true);
    } catch (error) {
      if (!(error instanceof LeaseBusy)) throw error;
      throw leaseLost(member.host.name, error);
    }
  }

  async release(): Promise<void> {
    this.#released.abort();
    const processes = [...this.#held.values()].map(({ process }) => process);
    this.#held.clear();
    await Promise.all(
      processes.map(async (process) => {
        process.write(FAREWELL);
        await process.close();
      }),
    );
  }
}

function notTaken(member: Member, last: string, { code, reason }: { code?: number; reason: string }): DeployError {
  const { name } = member.host;
  const refusal = (why: string, hint: string) =>
    new DeployError('lease-failed', `The lock on ${name} cannot be taken: ${why}.`, { droplet: name, hint });
  const folder = last.slice(last.indexOf(' ') + 1);
  if (code === NO_FLOCK) return refusal('flock is not installed', 'Install util-linux on the droplet.');
  if (code === BAD_LOCK_FOLDER && last.startsWith('foreign ')) {
    const hint = `Move it away: ${loginTo(member)} sudo mv ${folder} ${folder}.$(date +%s)`;
    return refusal(`${folder} was created by a user who may not use Docker`, hint);
  }
  if (code === BAD_LOCK_FOLDER) {
    const hint = `Add the SSH user to the folder's group: ${loginTo(member)} ls -ld ${folder}`;
    return refusal(`the SSH user may not write to ${folder}`, hint);
  }
  // dash calls a full disk an I/O error.
  if (/no space left|I\/O error/i.test(reason)) {
    return new DeployError('disk-full', `The lock on ${name} cannot be taken: its disk is full.`, {
      droplet: name,
      hint: `Free at least 512 MB there: ${loginTo(member)} df -h`,
    });
  }
  return refusal(reason.replace(/\.$/, ''), `Check the disk and the home folder: ${loginTo(member)} df -h`);
}

class LeaseBusy extends DeployError {
  readonly other: Holder | undefined;

  constructor(droplet: string, other: Holder | undefined, app: string) {
    const of =
      other?.app === undefined || other.app === app ? '' : ` of ${other.app}, which leaves rotation with ${app}`;
    super(
      'lease-held',
      `Another ${commandOf(other) === undefined ? 'deploy' : 'run'}${of} is under way: ${whoHolds(other)}.`,
      {
        droplet,
        hint: 'Wait for it with --wait-lock 10m. If its process is gone, the lock frees itself within 15 s.',
      },
    );
    this.other = other;
  }
}

export function leaseLost(droplet: string, cause?: unknown): DeployError {
  const other = cause instanceof LeaseBusy ? cause.other : undefined;
  return new DeployError('lease-lost', `${lossOf(droplet, other)} It makes no further changes.`, {
    droplet,
    hint: 'Wait for the other run to end, then check the fleet: do-deploy status',
    cause,
  });
}

function lossOf(droplet: string, other: Holder | undefined): string {
  if (other?.broke) return `The lock of this run on ${droplet} was broken by ${other.who}.`;
  return `This run lost its lock on ${droplet} to ${other === undefined ? 'another run' : `another one: ${whoHolds(other)}`}.`;
}

function whoHolds(holder: Holder | undefined): string {
  if (holder === undefined) return 'another run that has just started';
  const { who, release, since, url } = holder;
  // A rollback that has not looked at the droplets yet has no release.
  const named = release === '' ? undefined : `release ${release}`;
  return [who, commandOf(holder), named, `since ${since}`, url].filter(Boolean).join(', ');
}

/** "rollback", by the run's id, which begins with its command; undefined for a deploy, or where it is not known. */
function commandOf(holder: Holder | undefined): string | undefined {
  const command = /^([a-z]+(?: [a-z]+)?) \d/.exec(holder?.run ?? '')?.[1];
  return command === 'deploy' ? undefined : command;
}
