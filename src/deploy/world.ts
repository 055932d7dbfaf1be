/** The world as it is now, for the planner: who is in rotation, and who of them is well. */
import pLimit from 'p-limit';
import { DeployError, ShellError } from '../errors.js';
import type { ProbeResult } from '../ports.js';
import { judgeHealth, restartedSince } from '../rollout/health.js';
import type { Rotation } from '../rollout/model.js';
import type { Seen } from '../rollout/planner.js';
import type { Run } from './context.js';
import { checksWithin, EFFECT_LAG_MS } from './door.js';
import type { Site } from './site.js';
import { probeOnce } from './steps/probe.js';
import { together } from './together.js';
import { watchSite } from './watch-door.js';

const AT_ONCE = 20;
/** A check that failed is made again after so long, in ms, */
const AGAIN_AFTER_MS = 500;
/** and sick is who fails as often in a row as the balancer wants it, or so often. */
const MOST_CHECKS = 3;
/** What was found before the slowest answer came is asked again after so long, in ms. */
const FRESH_MS = 5_000;

/** Undefined: it could not be asked. `recoveredMsAgo`: since a container restarted by itself, or a check failed. */
interface Wellness {
  well: boolean | undefined;
  recoveredMsAgo?: number;
}

/**
 * Membership from DigitalOcean, health from each droplet by the balancer's own check. What cannot be told counts as out.
 * A droplet to which the balancer may not send traffic yet, because it has restarted by itself or was left half-way by
 * another run, is waited for.
 */
export async function lookAtWorld(run: Run, sites: readonly Site[]): Promise<Seen[]> {
  const { clock } = run.ports;
  const began = clock.now();
  let [members, wellness] = await together([lookAtMembers(run), lookAtAll(run, sites)]);
  const waits = sites.map((site) => youngFor(run, site, wellness.get(site), members.get(site.droplet.id)));
  await clock.sleep(Math.max(0, ...waits));
  if (clock.now() - began > FRESH_MS) {
    const well = sites.filter((site) => wellness.get(site)?.well === true);
    wellness = new Map([...wellness, ...(await lookAtAll(run, well))]);
    members = await lookAtMembers(run);
  }
  return sites.map((site) => {
    const { well } = wellness.get(site) ?? {};
    const member = members.get(site.droplet.id);
    return {
      id: site.droplet.id,
      rotation: member?.rotation ?? ('unknown' as const),
      inLedger: member?.inLedger ?? false,
      gone: member === undefined,
      healthy: well === true,
      unasked: well === undefined,
    };
  });
}

async function lookAtMembers(run: Run) {
  const { droplets } = await run.target.look();
  return new Map(droplets.map((one) => [one.droplet.id, one]));
}

async function lookAtAll(run: Run, sites: readonly Site[]): Promise<Map<Site, Wellness>> {
  const limit = pLimit(AT_ONCE);
  const found = await Promise.all(sites.map((site) => limit(async () => [site, await lookAt(run, site)] as const)));
  return new Map(found);
}

/** The balancer's check where there is one, else the containers. */
async function lookAt(run: Run, site: Site): Promise<Wellness> {
  try {
    const before = site.containers;
    const at = run.ports.clock.now();
    const watched = run.target.healthCheck !== undefined && at - (site.watchedAt ?? 0) < FRESH_MS;
    const look = watched ? undefined : containersNow(run, site);
    const [{ probed, failures }, now] = await Promise.all([probeUntilSure(run, site), look]);
    // Not from when it was asked: a Docker that is slow to answer would be asked again at once.
    if (look !== undefined) site.watchedAt = run.ports.clock.now();
    if (probed?.passed === false) return { well: false };
    if (probed === undefined) {
      const well = now !== undefined && site.containers.length > 0;
      return { well: well && judgeHealth(site.services, site.containers, now).kind === 'healthy' };
    }
    site.wellSince ??= run.ports.clock.now();
    // It may have been sick until now: then the balancer, too, has yet to see it well.
    if (failures > 0) return { well: true, recoveredMsAgo: 0 };
    if (now === undefined || restartedSince(before, site.containers) === undefined) return { well: true };
    return { well: true, recoveredMsAgo: now - Math.max(...site.containers.map(({ startedAt }) => startedAt)) };
  } catch (error) {
    if (error instanceof ShellError) return { well: undefined };
    throw error;
  }
}

/** One failed check is no illness: for the balancer neither. */
async function probeUntilSure(
  { target, ports }: Run,
  site: Site,
): Promise<{ probed: ProbeResult | undefined; failures: number }> {
  const most = Math.min(MOST_CHECKS, target.healthCheck?.unhealthyThreshold ?? 1);
  for (let failures = 0; ; failures += 1) {
    const probed = await probeOnce(site, target);
    if (probed === undefined || probed.passed || failures + 1 >= most) return { probed, failures };
    await ports.clock.sleep(AGAIN_AFTER_MS);
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
  wellness: Wellness | undefined,
  member: { rotation: Rotation; inLedger: boolean } | undefined,
): number {
  const check = target.healthCheck;
  if (check === undefined || wellness?.well !== true || member?.rotation !== 'in') return 0;
  const needed = checksWithin(check.healthyThreshold + 1, check.intervalSeconds * 1_000);
  const sinceRecovery = wellness.recoveredMsAgo ?? Number.POSITIVE_INFINITY;
  const sinceSeen = member.inLedger
    ? ports.clock.now() - (site.wellSince ?? 0) - EFFECT_LAG_MS
    : Number.POSITIVE_INFINITY;
  return Math.max(0, needed - Math.min(sinceRecovery, sinceSeen));
}
