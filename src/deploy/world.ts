/** The world as it is now, for the planner: who is in rotation, and who of them is well. */
import pLimit from 'p-limit';
import { DeployError, ShellError } from '../errors.js';
import type { ProbeResult } from '../ports.js';
import { judgeHealth, restartedSince } from '../rollout/health.js';
import type { Rotation } from '../rollout/model.js';
import type { Seen } from '../rollout/planner.js';
import { checksWithin, EFFECT_LAG_MS } from './balancer-timing.js';
import type { Run } from './context.js';
import type { Site } from './site.js';
import { probeUnderLease } from './steps/probe.js';
import { together } from './together.js';
import { watchSite } from './watch-door.js';

const AT_ONCE = 20;
/** A check that failed is made again after so long, in ms, */
const AGAIN_AFTER_MS = 500;
/** and sick is who fails as often in a row as the balancer wants it, or so often. */
const MOST_CHECKS = 3;
/** What was found before the slowest answer came is asked again after so long, in ms. */
const FRESH_MS = 5_000;

/** So often it is looked again: a droplet that restarts again and again is never well, and one may answer ever slowly. */
const MOST_LOOKS = 4;

/** Whether each is well; undefined: it could not be asked. */
type Wellness = Map<Site, boolean | undefined>;

/**
 * Membership from DigitalOcean, health from each droplet by the balancer's own check. What cannot be told counts as out.
 * A droplet to which the balancer may not send traffic yet, because it has restarted by itself, failed a check or was
 * left half-way by another run, is waited for, and looked at again.
 * @param signal ends the waiting: nothing will be begun by this look
 */
export async function lookAtWorld(run: Run, sites: readonly Site[], signal?: AbortSignal): Promise<Seen[]> {
  const { clock } = run.ports;
  let began = clock.now();
  let [members, wellness] = await together([lookAtMembers(run), lookAtAll(run, sites)]);
  const young = (site: Site) => youngFor(run, site, wellness.get(site), members.get(site.droplet.id));
  for (let looks = 1; looks < MOST_LOOKS && !signal?.aborted; looks += 1) {
    const wait = Math.max(0, ...sites.map(young));
    if (wait === 0 && clock.now() - began <= FRESH_MS) break;
    await clock.sleep(wait, signal);
    began = clock.now();
    // Who has not answered is not waited for again.
    const answered = sites.filter((site) => wellness.get(site) !== undefined);
    wellness = new Map([...wellness, ...(await lookAtAll(run, answered, wait > 0))]);
    members = await lookAtMembers(run);
  }
  const away = (run.away ?? []).map((id): Seen => {
    return { ...placeOf(id, members), healthy: false, unasked: true, away: true };
  });
  const found = sites.map((site): Seen => {
    // One that is still too young does not count, and may serve all the same.
    const well = young(site) > 0 ? undefined : wellness.get(site);
    return {
      ...placeOf(site.droplet.id, members),
      halfDone: site.survey.state?.phase === 'switching',
      healthy: well === true,
      unasked: well === undefined,
    };
  });
  return [...found, ...away];
}

type Members = Awaited<ReturnType<typeof lookAtMembers>>;

function placeOf(id: number, members: Members): Pick<Seen, 'id' | 'rotation' | 'inLedger' | 'gone'> {
  const member = members.get(id);
  return {
    id,
    rotation: member?.rotation ?? 'unknown',
    inLedger: member?.inLedger ?? false,
    gone: member === undefined,
  };
}

async function lookAtMembers(run: Run) {
  const { droplets } = await run.target.look();
  return new Map(droplets.map((one) => [one.droplet.id, one]));
}

async function lookAtAll(run: Run, sites: readonly Site[], waited = false): Promise<Wellness> {
  const limit = pLimit(AT_ONCE);
  const looks = sites.map((site) => limit(async () => [site, await lookAt(run, site, waited)] as const));
  return new Map(await Promise.all(looks));
}

/**
 * The balancer's check where there is one, else the containers.
 * @param waited it has been waited for: whether it restarted meanwhile is looked at, however short the wait was
 */
async function lookAt(run: Run, site: Site, waited: boolean): Promise<boolean | undefined> {
  try {
    const before = site.containers;
    const { clock } = run.ports;
    const first = site.watchedAt === undefined;
    const watched = run.target.healthCheck !== undefined && clock.now() - (site.watchedAt ?? 0) < FRESH_MS;
    const look = watched && !waited ? undefined : containersNow(run, site);
    const [{ probed, failures }, now] = await Promise.all([probeUntilSure(run, site), look]);
    // Not from when it was asked: a Docker that is slow to answer would be asked again at once.
    if (look !== undefined) site.watchedAt = clock.now();
    if (probed === undefined) {
      const well = now !== undefined && site.containers.length > 0;
      return well && judgeHealth(site.services, site.containers, now).kind === 'healthy';
    }
    const restarted =
      now !== undefined &&
      (restartedSince(before, site.containers) !== undefined || (first && startedLately(run, site, now)));
    keepInMind(site, { passed: probed.passed, stumbled: failures > 0 || restarted, at: clock.now() });
    return probed.passed;
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}

/** Of what happened before the run the containers tell: the balancer's checks may not have passed since they started. */
function startedLately({ target }: Run, site: Site, now: number): boolean {
  const check = target.healthCheck;
  if (check === undefined) return false;
  return site.containers.some(({ state, startedAt }) => state === 'running' && now - startedAt < neededFor(check));
}

/** How long the balancer takes to see a droplet well, in ms. */
function neededFor({ healthyThreshold, intervalSeconds }: NonNullable<Run['target']['healthCheck']>): number {
  return checksWithin(healthyThreshold + 1, intervalSeconds * 1_000);
}

/** What was sick until now the balancer, too, has yet to see well: from here on its checks begin to pass. */
function keepInMind(site: Site, { passed, stumbled, at }: { passed: boolean; stumbled: boolean; at: number }): void {
  if (!passed || stumbled) site.stumbled = true;
  if (!passed) delete site.wellSince;
  else if (stumbled || site.wellSince === undefined) site.wellSince = at;
}

/** One failed check is no illness: for the balancer neither. */
async function probeUntilSure(run: Run, site: Site): Promise<{ probed: ProbeResult | undefined; failures: number }> {
  const most = Math.min(MOST_CHECKS, run.target.healthCheck?.unhealthyThreshold ?? 1);
  for (let failures = 0; ; failures += 1) {
    const probed = await probeUnderLease(site, run);
    if (probed === undefined || probed.passed || failures + 1 >= most) return { probed, failures };
    await run.ports.clock.sleep(AGAIN_AFTER_MS);
  }
}

/** The droplet's clock at the look; undefined when Docker does not answer. */
async function containersNow(run: Run, site: Site): Promise<number | undefined> {
  try {
    return await watchSite(site, run.settings.app);
  } catch (error) {
    if (error instanceof DeployError) return undefined;
    throw error;
  }
}

/** How long the balancer may still take to send it traffic, in ms: its checks have to have passed. */
function youngFor(
  { target, ports }: Run,
  site: Site,
  well: boolean | undefined,
  member: { rotation: Rotation; inLedger: boolean } | undefined,
): number {
  const check = target.healthCheck;
  if (check === undefined || well !== true || member?.rotation !== 'in') return 0;
  if (!site.stumbled && !member.inLedger) return 0;
  const lag = member.inLedger ? EFFECT_LAG_MS : 0;
  return Math.max(0, (site.wellSince ?? 0) + lag + neededFor(check) - ports.clock.now());
}
