/** The fleet as it is now, for the planner: which droplets are in rotation, and which of them serve. */

import { DeployError, ShellError } from '../../errors.js';
import type { HealthResponse } from '../../ports.js';
import { judgeHealth, restartedSince } from '../../rollout/health.js';
import type { Observed } from '../../rollout/rollout-state.js';
import { inParallel, waitForAll } from '../core/parallel.js';
import { EFFECT_LAG_MS } from '../drain/balancer-timing.js';
import { refreshContainers } from '../droplet/containers.js';
import { isHalfDone, type Member, runsSomething } from '../droplet/member.js';
import { appCheckUnderLease } from '../steps/app-check.js';
import { balancerCheckUnderLease } from '../steps/balancer-check.js';
import type { Run } from '../steps/run.js';

/** Pause before a failed check is repeated, in ms. */
const REPEAT_AFTER_MS = 500;

/** A droplet is sick when as many checks in a row fail as the balancer wants, but at most this many. */
const MAX_CHECKS = 3;

/** An observation is made again when it is older than this before a droplet leaves, or its slowest answer took longer; in ms. */
export const FRESH_MS = 5_000;

/** Bounds the waiting for a droplet that restarts again and again, or answers slowly each time. */
const MAX_ROUNDS = 4;

/** Whether each is healthy; undefined: it could not be asked. */
type HealthByMember = Map<Member, boolean | undefined>;

/**
 * Membership from DigitalOcean, health from each droplet by the balancer's own check. What is not known counts as out. A
 * droplet to which the balancer may not send traffic yet (it restarted by itself, failed a check, or was left half-way
 * by another run) is waited for and observed again.
 * @param signal ends the waiting: nothing will be begun from this observation
 */
export async function observeFleet(run: Run, members: readonly Member[], signal?: AbortSignal): Promise<Observed[]> {
  const { clock } = run.ports;
  let began = clock.now();
  let [membership, health] = await observeOnce(run, members, false);
  const notYetServing = (member: Member) => {
    const isIn = membership.get(member.droplet.id)?.rotation === 'in';
    if (run.target.healthCheck === undefined || !isIn || health.get(member) !== true) return 0;
    return Math.max(0, (run.contacts.of(member).servesFrom ?? 0) - clock.now());
  };
  for (let round = 1; round < MAX_ROUNDS && !signal?.aborted; round += 1) {
    const wait = Math.max(0, ...members.map(notYetServing));
    if (wait === 0 && clock.now() - began <= FRESH_MS) break;
    await clock.sleep(wait, signal);
    began = clock.now();
    // One that did not answer is not waited for again.
    const answered = members.filter((member) => health.get(member) !== undefined);
    const [nowMembership, nowHealth] = await observeOnce(run, answered, wait > 0);
    membership = nowMembership;
    health = new Map([...health, ...nowHealth]);
  }
  const away = (run.away ?? []).map((id): Observed => {
    return { ...placeOf(id, membership), healthy: false, unasked: true, away: true };
  });
  const found = members.map((member): Observed => {
    // One that is still waited for does not count, and may serve all the same.
    const healthy = notYetServing(member) > 0 ? undefined : health.get(member);
    return {
      ...placeOf(member.droplet.id, membership),
      halfDone: isHalfDone(member),
      healthy: healthy === true,
      unasked: healthy === undefined,
    };
  });
  return [...found, ...away];
}

/** @param waited inspects the containers again, however short the wait was */
async function observeOnce(
  run: Run,
  members: readonly Member[],
  waited: boolean,
): Promise<[MembershipById, HealthByMember]> {
  const membership = readMembership(run);
  const observe = async (member: Member) => {
    const place = async () => placeOf(member.droplet.id, await membership);
    return [member, (await observeDroplet(run, member, waited, place)).healthy] as const;
  };
  const [known, health] = await waitForAll([membership, inParallel(members, observe)]);
  return [known, new Map(health)];
}

type MembershipById = Awaited<ReturnType<typeof readMembership>>;

type Place = Pick<Observed, 'id' | 'rotation' | 'inLedger' | 'gone'>;

function placeOf(id: number, membership: MembershipById): Place {
  const member = membership.get(id);
  return {
    id,
    rotation: member?.rotation ?? 'unknown',
    inLedger: member?.inLedger ?? false,
    gone: member === undefined,
  };
}

async function readMembership(run: Run) {
  const { droplets } = await run.target.readMembership();
  return new Map(droplets.map((one) => [one.droplet.id, one]));
}

export interface DropletSeen {
  /** Undefined: it could not be asked. */
  healthy: boolean | undefined;
  /** The answer to the balancer's check; absent without a balancer. */
  response?: HealthResponse;
  /** The droplet's clock when its containers were inspected; absent if they were not. */
  now?: number;
}

/**
 * By the balancer's check where there is a balancer, otherwise by the containers.
 * @param place where DigitalOcean shows the droplet; where it is not asked, in rotation
 */
export async function observeDroplet(
  run: Run,
  member: Member,
  waited: boolean,
  place?: () => Promise<Pick<Place, 'rotation' | 'inLedger'>>,
): Promise<DropletSeen> {
  try {
    const { clock } = run.ports;
    const contact = run.contacts.of(member);
    const before = member.containers;
    const isFirst = contact.inspectedAt === undefined;
    const isRecent = run.target.healthCheck !== undefined && clock.now() - (contact.inspectedAt ?? 0) < FRESH_MS;
    const inspection = isRecent && !waited ? undefined : inspect(run, member);
    const [{ response, failures }, now] = await Promise.all([checkUntilSure(run, member), inspection]);
    // Not the time of asking: a slow Docker would be asked again immediately.
    if (inspection !== undefined) contact.inspectedAt = clock.now();
    if (response === undefined) {
      // Without a balancer one that was left half-changed serves nothing yet, whatever its containers do.
      if (now === undefined || isHalfDone(member) || !runsSomething(member)) return { healthy: false, now };
      const { kind } = judgeHealth(member.services, member.containers, now);
      // One that is just starting does not count as serving, and may serve all the same.
      if (kind === 'waiting') return { healthy: undefined, now };
      return { healthy: kind === 'healthy' && (await askApp(run, member))?.passed !== false, now };
    }
    const mayHaveRestarted =
      (inspection !== undefined && now === undefined) ||
      restartedSince(before, member.containers) !== undefined ||
      (isFirst && now !== undefined && startedRecently(run, member, now));
    // The check may have passed before the restart: Docker can take long to answer.
    const passes = mayHaveRestarted ? (await checkUntilSure(run, member)).response?.passed : response.passed;
    if (!passes) {
      contact.servesFrom = Number.POSITIVE_INFINITY;
      return { healthy: false, response, now };
    }
    const { rotation, inLedger } = (await place?.()) ?? { rotation: 'in', inLedger: false };
    // Another run may have put it back: the balancer begins to check it some time after DigitalOcean shows that.
    if (rotation !== 'in') {
      contact.servesFrom = Number.POSITIVE_INFINITY;
      return { healthy: true, response, now };
    }
    // The balancer may have found it sick as well, and must see it healthy again. What cannot be known counts as so.
    const servedBefore = contact.servesFrom !== Number.POSITIVE_INFINITY;
    const mayBeNew = failures > 0 || !servedBefore || mayHaveRestarted;
    const lagMs = !servedBefore || (isFirst && inLedger) ? EFFECT_LAG_MS : 0;
    if (mayBeNew || lagMs > 0) contact.servesFrom = run.contacts.servesBy(member) + lagMs;
    contact.servesFrom ??= clock.now();
    return { healthy: true, response, now };
  } catch (error) {
    if (error instanceof ShellError) return { healthy: undefined };
    throw error;
  }
}

/**
 * Whether containers started so shortly before the run that the balancer's checks may not have passed yet. How long an app
 * took until it answered is unknown, unless they started before the gates of their release passed.
 * @param now the droplet's clock
 */
function startedRecently(run: Run, member: Member, now: number): boolean {
  const { containers, survey } = member;
  const foundWithinMs = run.contacts.servesBy(member) - run.ports.clock.now();
  const answersWithinMs = run.settings.rollout.healthTimeoutMs;
  const verifiedAt = survey.state?.phase === 'verified' ? (survey.stateWrittenAt ?? 0) : 0;
  return containers.some(({ state, startedAt }) => {
    const neededMs = startedAt < verifiedAt ? foundWithinMs : foundWithinMs + answersWithinMs;
    return state === 'running' && now - startedAt < neededMs;
  });
}

/** By `rollout.health.http`; undefined where it is not set. */
export async function askApp(run: Run, member: Member): Promise<HealthResponse | undefined> {
  for (let failures = 0; ; failures += 1) {
    const response = await appCheckUnderLease(member, run);
    if (response === undefined || response.passed || failures + 1 >= MAX_CHECKS) return response;
    await run.ports.clock.sleep(REPEAT_AFTER_MS);
  }
}

/** One failed check is no illness: not for the balancer either. */
async function checkUntilSure(
  run: Run,
  member: Member,
): Promise<{ response: HealthResponse | undefined; failures: number }> {
  const most = Math.min(MAX_CHECKS, run.target.healthCheck?.unhealthyThreshold ?? 1);
  for (let failures = 0; ; failures += 1) {
    const response = await balancerCheckUnderLease(member, run);
    if (response === undefined || response.passed || failures + 1 >= most) return { response, failures };
    await run.ports.clock.sleep(REPEAT_AFTER_MS);
  }
}

/** The droplet's clock at that time; undefined when Docker does not answer. */
async function inspect(run: Run, member: Member): Promise<number | undefined> {
  try {
    return await refreshContainers(member, run.settings.app);
  } catch (error) {
    if (error instanceof DeployError) return undefined;
    throw error;
  }
}
