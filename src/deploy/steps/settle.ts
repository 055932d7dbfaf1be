/**
 * Waits until the balancer must have seen the droplet healthy often enough to send it traffic, and watches the release
 * meanwhile: a crash loop that starts healthy does not pass.
 */

import { DeployError } from '../../errors.js';
import { judgeHealth, restartedSince } from '../../rollout/health.js';
import { checksWithin, EFFECT_LAG_MS, lateness, UNSHOWN_LAG_MS } from '../drain/balancer-timing.js';
import { type TrafficWatch, watchedPorts } from '../drain/traffic-watch.js';
import { listen } from '../drain/watch-traffic.js';
import { refreshContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { sinceThen, unhealthy } from './await-health.js';
import { balancerCheckFailed, balancerCheckUnderLease } from './balancer-check.js';
import type { StepContext } from './run.js';

/** How often it is looked at: so often, or as often in a check's interval, and in a long wait less and less often. */
const LOOK_EVERY_MS = 500;

const LOOKS = 12;

const LATER_BY = 0.05;

/** How often when it may end any moment. */
const SOON_MS = 100;

/** Without a balancer: how long the release is watched. */
const WATCH_ALONE_MS = 3_000;

/** How much later than its interval the balancer's first check may come: the API's answer comes before the effect. */
const EFFECT_WITHIN_MS = 60_000;

/** How long after its arrival a check has been answered and counted: the last probe, made after it, takes as long again. */
const ANSWERED_WITHIN_MS = 100;

export async function settle(member: Member, run: StepContext): Promise<string | undefined> {
  const { clock } = run.ports;
  const started = clock.now();
  const before = member.containers;
  let failedProbes = 0;
  for (;;) {
    // At once: what takes half the time is looked at twice as often.
    const [now, wait] = await Promise.all([
      refreshContainers(member, run.settings.app),
      remaining(member, run, started),
    ]);
    const verdict = judgeHealth(member.services, sinceThen(before, member.containers), now);
    if (verdict.kind === 'failed') throw unhealthy(member.host.name, verdict);
    const restarted = restartedSince(before, member.containers);
    if (restarted !== undefined) {
      throw new DeployError('unhealthy', `${restarted} restarted after it had been healthy.`, {
        droplet: member.host.name,
        hint: 'Mend the image or its settings, then deploy again.',
      });
    }
    if (
      verdict.kind === 'waiting' &&
      clock.now() - started >= run.settings.rollout.healthTimeoutMs + EFFECT_WITHIN_MS
    ) {
      throw new DeployError('health-timeout', `No longer healthy after it had been: ${verdict.detail}.`, {
        droplet: member.host.name,
        hint: 'Look at its containers: docker ps -a',
      });
    }
    if (wait.ms <= 0 && verdict.kind === 'healthy') {
      // Only now: at the droplet's door this request looks like one of the balancer's.
      const result = await balancerCheckUnderLease(member, run);
      if (result === undefined || result.passed) {
        member.watchedAt = clock.now();
        member.stumbled = false;
        return wait.unheard;
      }
      failedProbes += 1;
      if (failedProbes >= 2) throw balancerCheckFailed(member, run.target, result);
    }
    run.progress(wait.detail);
    const interval = (run.target.healthCheck?.intervalSeconds ?? 0) * 1_000;
    const pause = Math.max(LOOK_EVERY_MS, interval / LOOKS, (clock.now() - started) * LATER_BY);
    await clock.sleep(Math.max(50, Math.min(pause, wait.ms)));
  }
}

/** How long to watch on, and what for. */
async function remaining(
  member: Member,
  run: StepContext,
  started: number,
): Promise<{ ms: number; detail: string; unheard?: string }> {
  const { clock } = run.ports;
  const check = run.target.healthCheck;
  if (check === undefined) return { ms: started + WATCH_ALONE_MS - clock.now(), detail: 'watching it run' };
  const interval = check.intervalSeconds * 1_000;
  // Heard often enough, only time is missing.
  const heard = member.door !== undefined && member.door.arrival(check.healthyThreshold) !== undefined;
  const watch = member.door === undefined || heard ? member.door : await listen(member, run.target, clock);
  const readable =
    watch !== undefined && watch.instrument !== 'none' && watchedPorts(member.containers, run.target.ports).length > 0;
  if (!readable) {
    // A leaving that DigitalOcean never showed may take effect only now, and the rejoining after it.
    const lag = member.leaving?.how === 'asked' ? UNSHOWN_LAG_MS : EFFECT_LAG_MS;
    const wholeMs = checksWithin(check.healthyThreshold, interval) + lag;
    return { ms: started + wholeMs - clock.now(), detail: 'giving the balancer time for its checks' };
  }
  const first = watch.arrival(1);
  const last = watch.arrival(check.healthyThreshold);
  if (first === undefined || last === undefined) {
    const patience = EFFECT_WITHIN_MS + check.healthyThreshold * interval;
    if (clock.now() - started > patience) {
      if (member.heard) throw silent(member, run);
      const unheard = 'the balancer could not be heard at the door; it was given time for its checks';
      return { ms: 0, detail: unheard, unheard };
    }
    if (first === undefined) return { ms: interval, detail: 'waiting for the balancer’s first check' };
    // The last one is due: then it is listened to more often, for a while.
    const late = clock.now() - (first.after + (check.healthyThreshold - 1) * interval);
    const due = late > lateness(interval) ? interval : SOON_MS;
    return { ms: late < 0 ? Math.max(SOON_MS, -late) : due, detail: 'the balancer is checking' };
  }
  const served = servedAt(member, { nodes: run.target.nodes, ...check }, started, { watch, first, last });
  return { ms: served - clock.now(), detail: 'the balancer is checking' };
}

type Arrival = { at: number; after: number };

/** By when every node of the balancer has seen it healthy often enough: as many checks were heard as one node makes. */
function servedAt(
  member: Member,
  { nodes, intervalSeconds, healthyThreshold }: { nodes: number; intervalSeconds: number; healthyThreshold: number },
  started: number,
  { watch, first, last }: { watch: TrafficWatch; first: Arrival; last: Arrival },
): number {
  const interval = intervalSeconds * 1_000;
  const several = nodes > 1;
  // Each of several nodes checks by itself, and the last one begins up to an interval after the first.
  const intervals = several ? healthyThreshold : healthyThreshold - 1;
  // Of the first check it must be known that it is none of before: the balancer was heard to let go, or it was long ago.
  const { how, at } = member.leaving ?? { how: 'let go', at: 0 };
  const lag = { asked: UNSHOWN_LAG_MS, shown: EFFECT_LAG_MS, 'let go': 0 }[how];
  const heard =
    watch.startedAt >= at + lag
      ? // Each of them, and not from somebody else in a quick row.
        Math.max(last.at + ANSWERED_WITHIN_MS, first.after + intervals * interval)
      : Math.max(first.at, started + lag + interval) + checksWithin(intervals, interval);
  if (!several) return heard;
  // Which node was heard cannot be told: the others may act on the change later, and only then begin to check.
  return Math.max(heard, started + Math.max(lag, EFFECT_LAG_MS) + checksWithin(healthyThreshold, interval));
}

function silent(member: Member, run: StepContext): DeployError {
  return new DeployError(
    'balancer-silent',
    `${member.host.name} is back in ${run.target.description}, but the balancer does not connect to it.`,
    {
      droplet: member.host.name,
      hint: 'Check that the droplet’s firewall lets the balancer in on its health check port, and that both are in the same VPC.',
    },
  );
}
