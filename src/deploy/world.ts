/** The world as it is now, for the planner: who is in rotation, and who of them is well. */
import pLimit from 'p-limit';
import { ShellError } from '../errors.js';
import { judgeHealth } from '../rollout/health.js';
import type { Seen } from '../rollout/planner.js';
import type { Run } from './context.js';
import type { Site } from './site.js';
import { probeOnce } from './steps/probe.js';
import { lookAtSite } from './watch-door.js';

const AT_ONCE = 20;

/** Membership from DigitalOcean, health from each droplet by the balancer's own check. What cannot be told counts as out. */
export async function lookAtWorld(run: Run, sites: readonly Site[]): Promise<Seen[]> {
  const { droplets } = await run.target.look();
  const found = new Map(droplets.map((one) => [one.droplet.id, one]));
  const limit = pLimit(AT_ONCE);
  return await Promise.all(
    sites.map((site) =>
      limit(async () => {
        const healthy = await isWell(run, site);
        return {
          id: site.droplet.id,
          rotation: found.get(site.droplet.id)?.rotation ?? ('unknown' as const),
          inLedger: found.get(site.droplet.id)?.inLedger ?? false,
          gone: !found.has(site.droplet.id),
          healthy: healthy === true,
          unasked: healthy === undefined,
        };
      }),
    ),
  );
}

/** The balancer's check where there is one, else the containers. Undefined where it cannot be asked. */
async function isWell(run: Pick<Run, 'target' | 'settings'>, site: Site): Promise<boolean | undefined> {
  try {
    const result = await probeOnce(site, run.target);
    if (result !== undefined) return result.passed;
    const now = await lookAtSite(site, run.settings.app);
    return site.containers.length > 0 && judgeHealth(site.services, site.containers, now).kind === 'healthy';
  } catch (error) {
    if (error instanceof ShellError) return undefined;
    throw error;
  }
}
