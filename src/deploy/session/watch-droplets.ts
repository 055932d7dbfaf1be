/** Watches the droplets that have got the release while nothing else happens: between batches, and after the last one. */
import type { DeployError } from '../../errors.js';
import type { HealthResponse } from '../../ports.js';
import { type ContainerView, judgeHealth, restartedSince } from '../../rollout/health.js';
import { onAbort } from '../core/on-abort.js';
import { inParallel } from '../core/parallel.js';
import type { Member } from '../droplet/member.js';
import { sinceThen, unhealthy } from '../steps/await-health.js';
import { balancerCheckFailed } from '../steps/balancer-check.js';
import type { Run } from '../steps/run.js';
import { noLongerHealthy, restartedAfterHealthy } from '../steps/settle.js';
import { observeDroplet } from './observe-fleet.js';

const LOOK_EVERY_MS = 5_000;

/** A droplet whose checks fail at this many looks in a row is sick: one bad moment is no reason to go back. */
const FAILED_LOOKS = 2;

interface Known {
  /** Its containers when it was first watched: only what restarts since then counts. */
  before: readonly ContainerView[];
  failedLooks: number;
  /** Since when its containers are not all healthy, although none has failed. */
  waitingSince?: number;
}

export interface Sick {
  member: Member;
  error: DeployError;
}

export class DropletWatch {
  readonly #run: Run;
  readonly #known = new Map<Member, Known>();

  constructor(run: Run) {
    this.#run = run;
  }

  /**
   * Looks at the droplets again and again until the time is over or the signal aborts. Throws DeployError lease-lost.
   * @param leave ends it without waiting for a look that is under way: nothing else will be begun
   * @returns the first that is sick. One that cannot be asked is not: that is no fault of the release
   */
  async watch(
    members: readonly Member[],
    forMs: number,
    signal: AbortSignal,
    leave: AbortSignal,
  ): Promise<Sick | undefined> {
    const done = new AbortController();
    const left = new Promise<undefined>((resolve) => onAbort(leave, () => resolve(undefined), done.signal));
    try {
      return await Promise.race([this.#lookAgain(members, forMs, AbortSignal.any([signal, leave])), left]);
    } finally {
      done.abort();
    }
  }

  async #lookAgain(members: readonly Member[], forMs: number, signal: AbortSignal): Promise<Sick | undefined> {
    const { clock } = this.#run.ports;
    const until = clock.now() + forMs;
    // The containers of its last step.
    for (const member of members) {
      if (!this.#known.has(member)) this.#known.set(member, { before: member.containers, failedLooks: 0 });
    }
    for (;;) {
      const found = await inParallel(members, async (member) => {
        const error = signal.aborted ? undefined : await this.#look(member);
        return error === undefined ? [] : [{ member, error }];
      });
      if (signal.aborted) return undefined;
      const [sick] = found.flat();
      const left = until - clock.now();
      const isSure = members.every((member) => this.#known.get(member)?.failedLooks === 0);
      if (sick !== undefined || (left <= 0 && isSure)) return sick;
      await clock.sleep(left <= 0 ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, left), signal);
      if (signal.aborted) return undefined;
    }
  }

  async #look(member: Member): Promise<DeployError | undefined> {
    const known = this.#known.get(member);
    if (known === undefined) return undefined;
    const { healthy, response, now } = await observeDroplet(this.#run, member, true);
    const ofContainers = now === undefined ? undefined : this.#faultOfContainers(member, known, now);
    if (ofContainers !== undefined || response === undefined) return ofContainers;
    return this.#faultOfChecks(member, known, { healthy, response });
  }

  #faultOfContainers(member: Member, known: Known, now: number): DeployError | undefined {
    const { ports, settings } = this.#run;
    const { name } = member.host;
    const { before } = known;
    const verdict = judgeHealth(member.services, sinceThen(before, member.containers), now);
    if (verdict.kind === 'failed') return unhealthy(name, verdict);
    const restarted = restartedSince(before, member.containers);
    if (restarted !== undefined) return restartedAfterHealthy(name, restarted);
    known.waitingSince = verdict.kind === 'waiting' ? (known.waitingSince ?? ports.clock.now()) : undefined;
    const isLost =
      verdict.kind === 'waiting' &&
      ports.clock.now() - (known.waitingSince ?? ports.clock.now()) >= settings.rollout.healthTimeoutMs;
    return isLost ? noLongerHealthy(member, verdict.detail) : undefined;
  }

  #faultOfChecks(
    member: Member,
    known: Known,
    { healthy, response }: { healthy: boolean | undefined; response: HealthResponse },
  ): DeployError | undefined {
    known.failedLooks = healthy === false ? known.failedLooks + 1 : 0;
    if (known.failedLooks < FAILED_LOOKS) return undefined;
    return balancerCheckFailed(member, this.#run.target, response);
  }
}
