/**
 * Waits until the balancer must have seen the droplet healthy often enough to send it traffic, and watches the release
 * meanwhile: a crash loop that starts healthy does not pass.
 */

import { DeployError } from '../../errors.js';
import { type ContainerView, judgeHealth, restartedSince } from '../../rollout/health.js';
import { pollPause } from '../core/polling.js';
import { effectLag } from '../drain/balancer-timing.js';
import { watchedPorts } from '../drain/traffic-command.js';
import { TrafficRecord } from '../drain/traffic-record.js';
import { refreshContainers } from '../droplet/containers.js';
import { loginTo, type Member } from '../droplet/member.js';
import { appCheckFailed, appCheckUnderLease } from './app-check.js';
import { sinceThen, unhealthy } from './await-health.js';
import { balancerCheckFailed, balancerCheckUnderLease } from './balancer-check.js';
import type { StepContext, StepResult } from './run.js';

/** The shortest pause between two polls, in ms; with long intervals of the balancer's checks, a part of one. */
const POLL_EVERY_MS = 500;

const POLLS_PER_INTERVAL = 12;

/** Restarts show later as well, so the containers are inspected less often, in ms. */
const INSPECT_EVERY_MS = 1_500;

/** Polls this often when it may end any moment, in ms. */
const POLL_SOON_MS = 100;

/** Without a balancer: how long the release is watched. */
const WATCH_ALONE_MS = 3_000;

/** How long after its interval the balancer's first check may come: DigitalOcean answers before the effect. */
const EFFECT_WITHIN_MS = 60_000;

/** How long after it arrived a check has surely been answered, in ms, besides the time that answering takes. */
const ANSWERED_WITHIN_MS = 100;

const UNHEARD = 'the balancer cannot be heard here, so it was given time for its checks';

export async function settle(member: Member, run: StepContext): Promise<StepResult> {
  const { clock } = run.ports;
  const contact = run.contacts.of(member);
  const started = clock.now();
  const before = member.containers;
  let inspectedAt = Number.NEGATIVE_INFINITY;
  let failedChecks = 0;
  let isHealthy = false;
  for (;;) {
    const wait = await remaining(member, run, started);
    // Until all have run for long enough, a crash must be noticed before the balancer sends traffic.
    if (wait.ms <= 0 || !isHealthy || clock.now() - inspectedAt >= INSPECT_EVERY_MS) {
      inspectedAt = clock.now();
      isHealthy = await inspect(member, run, before, started);
      if (wait.ms <= 0 && isHealthy) {
        // At the end only: the droplet's counters cannot tell this check from the balancer's.
        const failure = await failedCheck(member, run);
        if (failure === undefined) {
          contact.inspectedAt = clock.now();
          contact.servesFrom = clock.now();
          contact.leaving = undefined;
          // What is compared with others is counted only from here on.
          contact.traffic = new TrafficRecord();
          return { detail: wait.end };
        }
        failedChecks += 1;
        if (failedChecks >= 2) throw failure;
      }
    }
    run.progress(wait.detail);
    const interval = (run.target.healthCheck?.intervalSeconds ?? 0) * 1_000;
    const pause = pollPause(clock.now() - started, Math.max(POLL_EVERY_MS, interval / POLLS_PER_INTERVAL));
    await clock.sleep(Math.max(50, Math.min(pause, wait.ms)));
  }
}

/** Of the app and of the balancer. */
async function failedCheck(member: Member, run: StepContext): Promise<DeployError | undefined> {
  const app = await appCheckUnderLease(member, run);
  if (app?.passed === false) return appCheckFailed(member, run, app.detail);
  const result = await balancerCheckUnderLease(member, run);
  return result?.passed === false ? balancerCheckFailed(member, run.target, result) : undefined;
}

/** Whether all are healthy. Throws DeployError when they are so no longer, or have restarted. */
async function inspect(
  member: Member,
  run: StepContext,
  before: readonly ContainerView[],
  started: number,
): Promise<boolean> {
  const now = await refreshContainers(member, run.settings.app);
  const verdict = judgeHealth(member.services, sinceThen(before, member.containers), now);
  if (verdict.kind === 'failed') throw unhealthy(member.host.name, verdict);
  const restarted = restartedSince(before, member.containers);
  if (restarted !== undefined) throw restartedAfterHealthy(member.host.name, restarted);
  const patience = run.settings.rollout.healthTimeoutMs + EFFECT_WITHIN_MS;
  if (verdict.kind === 'waiting' && run.ports.clock.now() - started >= patience) {
    throw noLongerHealthy(member, verdict.detail);
  }
  return verdict.kind === 'healthy';
}

interface Wait {
  ms: number;
  detail: string;
  /** What to say at the end. */
  end?: string;
}

/**
 * How long to watch on, and what for. The balancer must be sending traffic once as many checks have arrived as it wants
 * (where it had let go, and has one node: those are new checks from this node), or when the time for them has passed.
 */
async function remaining(member: Member, run: StepContext, started: number): Promise<Wait> {
  const { clock } = run.ports;
  const { healthCheck } = run.target;
  const checks = run.contacts.checksOf(member);
  if (healthCheck === undefined || checks === undefined) {
    return { ms: started + WATCH_ALONE_MS - clock.now(), detail: 'watching it run' };
  }
  const { heard, leaving, traffic, answerMs } = run.contacts.of(member);
  const wanted = healthCheck.healthyThreshold;
  const byTime = started + effectLag(leaving?.shown !== false) + wanted * checks.windowMs;
  if (traffic.checks.length < wanted && watchedPorts(member.containers, run.target.ports).length > 0) {
    await run.contacts.listen(member);
  }
  const [first, last] = [traffic.checks[0], traffic.checks[wanted - 1]];
  const expected = heard && traffic.isCounting;
  if (first === undefined || last === undefined) {
    if (!expected) return { ms: byTime - clock.now(), detail: 'giving the balancer time for its checks', end: UNHEARD };
    if (clock.now() - started > EFFECT_WITHIN_MS + wanted * checks.windowMs) throw silent(member, run);
    if (first === undefined) return { ms: checks.intervalMs, detail: "waiting for the balancer's first check" };
    // The last one is due: then it is listened to more often, for a while.
    const late = clock.now() - (first.after + (wanted - 1) * checks.intervalMs);
    const due = late > checks.windowMs - checks.intervalMs ? checks.intervalMs : POLL_SOON_MS;
    return { ms: late < 0 ? Math.max(POLL_SOON_MS, -late) : due, detail: 'the balancer is checking' };
  }
  // Not sooner than one node can have made them: others may connect to the droplet as well.
  const checked = Math.max(last.at, first.after + (wanted - 1) * checks.intervalMs) + ANSWERED_WITHIN_MS + 2 * answerMs;
  const served = leaving?.letGo && checks.nodes === 1 ? checked : Math.max(checked, byTime);
  return { ms: served - clock.now(), detail: 'the balancer is checking' };
}

export function restartedAfterHealthy(droplet: string, service: string): DeployError {
  return new DeployError('unhealthy', `${service} restarted after it had been healthy.`, {
    droplet,
    hint: 'Fix the image or its settings, then deploy again.',
  });
}

export function noLongerHealthy(member: Member, detail: string): DeployError {
  return new DeployError('health-timeout', `No longer healthy after it had been: ${detail}.`, {
    droplet: member.host.name,
    hint: `Look at its containers: ${loginTo(member)} docker ps --all`,
  });
}

function silent(member: Member, run: StepContext): DeployError {
  return new DeployError(
    'balancer-silent',
    `${member.host.name} is back in ${run.target.description}, but the balancer does not connect to it.`,
    {
      droplet: member.host.name,
      hint: "Check that the droplet's firewall lets the balancer in on its health check port, and that both are in the same VPC.",
    },
  );
}
