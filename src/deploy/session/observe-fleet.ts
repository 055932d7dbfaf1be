/** The world as it is now, for the planner: who is in rotation, and who of them is well. */

import pLimit from 'p-limit';
import { DeployError, ShellError } from '../../errors.js';
import type { HealthResponse } from '../../ports.js';
import { judgeHealth, restartedSince } from '../../rollout/health.js';
import type { Rotation } from '../../rollout/model.js';
import type { Observed } from '../../rollout/planner.js';
import { AT_ONCE, waitForAll } from '../core/parallel.js';
import { checksWithin, EFFECT_LAG_MS } from '../drain/balancer-timing.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { balancerCheckUnderLease } from '../steps/balancer-check.js';
import type { Run } from '../steps/run.js';

/** A check that failed is made again after so long, in ms, */
const AGAIN_AFTER_MS = 500;

/** and sick is who fails as often in a row as the balancer wants it, or so often. */
const MOST_CHECKS = 3;

/** What was found before the slowest answer came is asked again after so long, in ms. */
const FRESH_MS = 5_000;

/** So often it is looked again: a droplet that restarts again and again is never well, and one may answer ever slowly. */
const MOST_LOOKS = 4;

/** Whether each is well; undefined: it could not be asked. */
type Wellness = Map<Member, boolean | undefined>;

/**
 * Membership from DigitalOcean, health from each droplet by the balancer's own check. What cannot be told counts as out.
 * A droplet to which the balancer may not send traffic yet, because it has restarted by itself, failed a check or was
 * left half-way by another run, is waited for, and looked at again.
 * @param signal ends the waiting: nothing will be begun by this look
 */
export async function observeFleet(run: Run, members: readonly Member[], signal?: AbortSignal): Promise<Observed[]> {
  const { clock } = run.ports;
  let began = clock.now();
  let [membership, wellness] = await waitForAll([readMembership(run), lookAtAll(run, members)]);
  const young = (member: Member) => youngFor(run, member, wellness.get(member), membership.get(member.droplet.id));
  for (let looks = 1; looks < MOST_LOOKS && !signal?.aborted; looks += 1) {
    const wait = Math.max(0, ...members.map(young));
    if (wait === 0 && clock.now() - began <= FRESH_MS) break;
    await clock.sleep(wait, signal);
    began = clock.now();
    // Who has not answered is not waited for again.
    const answered = members.filter((member) => wellness.get(member) !== undefined);
    wellness = new Map([...wellness, ...(await lookAtAll(run, answered, wait > 0))]);
    membership = await readMembership(run);
  }
  const away = (run.away ?? []).map((id): Observed => {
    return { ...placeOf(id, membership), healthy: false, unasked: true, away: true };
  });
  const found = members.map((member): Observed => {
    // One that is still too young does not count, and may serve all the same.
    const well = young(member) > 0 ? undefined : wellness.get(member);
    return {
      ...placeOf(member.droplet.id, membership),
      halfDone: member.survey.state?.phase === 'switching',
      healthy: well === true,
      unasked: well === undefined,
    };
  });
  return [...found, ...away];
}

type MembershipById = Awaited<ReturnType<typeof readMembership>>;

function placeOf(id: number, membership: MembershipById): Pick<Observed, 'id' | 'rotation' | 'inLedger' | 'gone'> {
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

async function lookAtAll(run: Run, members: readonly Member[], waited = false): Promise<Wellness> {
  const limit = pLimit(AT_ONCE);
  const looks = members.map((member) => limit(async () => [member, await lookAt(run, member, waited)] as const));
  return new Map(await Promise.all(looks));
}

/**
 * The balancer's check where there is one, else the containers.
 * @param waited it has been waited for: whether it restarted meanwhile is looked at, however short the wait was
 */
async function lookAt(run: Run, member: Member, waited: boolean): Promise<boolean | undefined> {
  try {
    const before = member.containers;
    const { clock } = run.ports;
    const first = member.watchedAt === undefined;
    const watched = run.target.healthCheck !== undefined && clock.now() - (member.watchedAt ?? 0) < FRESH_MS;
    const inspection = watched && !waited ? undefined : containersNow(run, member);
    const [{ probed, failures }, now] = await Promise.all([checkUntilSure(run, member), inspection]);
    // Not from when it was asked: a Docker that is slow to answer would be asked again at once.
    if (inspection !== undefined) member.watchedAt = clock.now();
    if (probed === undefined) {
      const well = now !== undefined && member.containers.length > 0;
      return well && judgeHealth(member.services, member.containers, now).kind === 'healthy';
    }
    const restarted =
      now !== undefined &&
      (restartedSince(before, member.containers) !== undefined || (first && startedLately(run, member, now)));
    keepInMind(member, { passed: probed.passed, stumbled: failures > 0 || restarted, at: clock.now() });
    return probed.passed;
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

/** Of what happened before the run the containers tell: the balancer's checks may not have passed since they started. */
function startedLately({ target }: Run, member: Member, now: number): boolean {
  const check = target.healthCheck;
  if (check === undefined) return false;
  return member.containers.some(({ state, startedAt }) => state === 'running' && now - startedAt < neededFor(check));
}

/** How long the balancer takes to see a droplet well, in ms. */
function neededFor({ healthyThreshold, intervalSeconds }: NonNullable<Run['target']['healthCheck']>): number {
  return checksWithin(healthyThreshold + 1, intervalSeconds * 1_000);
}

/** What was sick until now the balancer, too, has yet to see well: from here on its checks begin to pass. */
function keepInMind(
  member: Member,
  { passed, stumbled, at }: { passed: boolean; stumbled: boolean; at: number },
): void {
  if (!passed || stumbled) member.stumbled = true;
  if (!passed) delete member.wellSince;
  else if (stumbled || member.wellSince === undefined) member.wellSince = at;
}

/** One failed check is no illness: for the balancer neither. */
async function checkUntilSure(
  run: Run,
  member: Member,
): Promise<{ probed: HealthResponse | undefined; failures: number }> {
  const most = Math.min(MOST_CHECKS, run.target.healthCheck?.unhealthyThreshold ?? 1);
  for (let failures = 0; ; failures += 1) {
    const probed = await balancerCheckUnderLease(member, run);
    if (probed === undefined || probed.passed || failures + 1 >= most) return { probed, failures };
    await run.ports.clock.sleep(AGAIN_AFTER_MS);
  }
}

/** The droplet's clock at the look; undefined when Docker does not answer. */
async function containersNow(run: Run, member: Member): Promise<number | undefined> {
  try {
    return await refreshContainers(member, run.settings.app);
  } catch (error) {
    if (error instanceof DeployError) return undefined;
    throw error;
  }
}

/** How long the balancer may still take to send it traffic, in ms: its checks have to have passed. */
function youngFor(
  { target, ports }: Run,
  member: Member,
  well: boolean | undefined,
  place: { rotation: Rotation; inLedger: boolean } | undefined,
): number {
  const check = target.healthCheck;
  if (check === undefined || well !== true || place?.rotation !== 'in') return 0;
  if (!member.stumbled && !place.inLedger) return 0;
  const lag = place.inLedger ? EFFECT_LAG_MS : 0;
  return Math.max(0, (member.wellSince ?? 0) + lag + neededFor(check) - ports.clock.now());
}
