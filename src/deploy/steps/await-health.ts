/** Waits until the compose project is healthy and the app answers; fails early when it can no longer become healthy. */

import { inWords } from '../../durations.js';
import { DeployError } from '../../errors.js';
import { type ContainerView, isAlive, judgeHealth, STEADY_MS, type Verdict } from '../../rollout/health.js';
import { pollPause } from '../core/polling.js';
import { causeSentence } from '../core/sentences.js';
import { watchedPorts } from '../drain/traffic-command.js';
import { loadContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import { appCheckFailed, appCheckUnderLease } from './app-check.js';
import { balancerCheckUnderLease } from './balancer-check.js';
import type { StepContext, StepResult } from './run.js';

/** The shortest pause between two polls, in ms. */
const POLL_EVERY_MS = 200;

export async function awaitHealth(member: Member, run: StepContext): Promise<StepResult> {
  const { clock } = run.ports;
  const { healthTimeoutMs } = run.settings.rollout;
  const began = clock.now();
  const deadline = began + healthTimeoutMs;
  const before = member.containers;
  for (;;) {
    const now = await loadContainers(member, run.settings.app);
    if (run.release === undefined && !member.containers.some(isAlive)) throw nothingRuns(member.host.name);
    const seen = sinceThen(before, member.containers);
    const verdict = judgeHealth(member.services, seen, now);
    if (verdict.kind === 'healthy' || (await answersInstead(member, run, seen, now))) {
      const response = await appCheckUnderLease(member, run);
      if (response === undefined || response.passed) return { detail: response?.detail };
      if (clock.now() >= deadline) throw appCheckFailed(member, run, response.detail);
      run.progress(`the app: ${response.detail}`);
      await clock.sleep(run.settings.rollout.healthHttp?.intervalMs ?? POLL_EVERY_MS);
      continue;
    }
    if (verdict.kind === 'failed') throw unhealthy(member.host.name, verdict);
    if (clock.now() >= deadline) throw notHealthyWithin(healthTimeoutMs, member.host.name, verdict.detail);
    run.progress(verdict.detail);
    await clock.sleep(pollPause(clock.now() - began, POLL_EVERY_MS));
  }
}

/**
 * Whether only run time is missing, of the container behind the balancer's check, and that check passes. The rest of the time
 * must be over before the balancer can send traffic; `settle` watches it.
 */
async function answersInstead(
  member: Member,
  run: StepContext,
  seen: readonly ContainerView[],
  now: number,
): Promise<boolean> {
  const { healthCheck } = run.target;
  if (healthCheck === undefined) return false;
  const unbroken = member.containers.filter(({ restarts }) => restarts === 0);
  const checked = watchedPorts(unbroken, [healthCheck.port]).map(({ pid }) => pid);
  const untilTrafficMs = (healthCheck.healthyThreshold - 1) * healthCheck.intervalSeconds * 1_000;
  const isSoonSteady = ({ startedAt }: ContainerView) => now - startedAt + untilTrafficMs >= STEADY_MS;
  const answering = seen.map((one) =>
    checked.includes(one.pid) && isSoonSteady(one) ? { ...one, answers: true } : one,
  );
  if (judgeHealth(member.services, answering, now).kind !== 'healthy') return false;
  return (await balancerCheckUnderLease(member, run))?.passed === true;
}

/** On the way back into rotation, before a first release was started. */
function nothingRuns(droplet: string): DeployError {
  return new DeployError('nothing-runs', `Nothing runs on ${droplet} yet, so it stays out of rotation.`, {
    droplet,
    hint: 'Deploy again: droplets that do not serve go first.',
  });
}

export function notHealthyWithin(ms: number, droplet: string, detail: string): DeployError {
  return new DeployError('health-timeout', `Not healthy within ${inWords(ms)}: ${detail}.`, {
    droplet,
    hint: 'If the app only needs longer to start, raise rollout.health.timeout.',
  });
}

export function unhealthy(droplet: string, verdict: Extract<Verdict, { kind: 'failed' }>): DeployError {
  return new DeployError('unhealthy', causeSentence(verdict.cause, [verdict.service]), {
    droplet,
    hint: 'Fix the image or its settings, then deploy again.',
  });
}

/** Only restarts since `before` count: a container that this rollout did not start may have restarted long ago. */
export function sinceThen(before: readonly ContainerView[], now: readonly ContainerView[]): ContainerView[] {
  return now.map((container) => {
    const earlier = before.find((other) => other.id === container.id);
    return earlier === undefined ? container : { ...container, restarts: container.restarts - earlier.restarts };
  });
}
