/** Waits until the compose project is healthy; ends early when it can no longer become so. */
import { DeployError } from '../../errors.js';
import { type ContainerView, isAlive, judgeHealth, type Verdict } from '../../rollout/health.js';
import type { StepContext } from '../context.js';
import type { Site } from '../site.js';
import { lookAtSite } from '../watch-door.js';

const LOOK_EVERY_MS = 200;

export async function awaitHealth(site: Site, run: StepContext): Promise<undefined> {
  const { clock } = run.ports;
  const { healthTimeoutMs } = run.settings.rollout;
  const deadline = clock.now() + healthTimeoutMs;
  const before = site.containers;
  for (;;) {
    const now = await lookAtSite(site, run.settings.app);
    if (run.release === undefined && !site.containers.some(isAlive)) throw nothingRuns(site.host.name);
    const verdict = judgeHealth(site.services, sinceThen(before, site.containers), now);
    if (verdict.kind === 'healthy') return;
    if (verdict.kind === 'failed') throw unhealthy(site.host.name, verdict);
    if (clock.now() >= deadline) throw notHealthyWithin(healthTimeoutMs, site.host.name, verdict.detail);
    run.progress(verdict.detail);
    await clock.sleep(LOOK_EVERY_MS);
  }
}

/** On the way back into rotation, before the first release was ever started. */
function nothingRuns(droplet: string): DeployError {
  return new DeployError('nothing-runs', `Nothing runs on ${droplet} yet, so it stays out of rotation.`, {
    droplet,
    hint: 'Deploy again: a droplet that does not serve goes first.',
  });
}

export function notHealthyWithin(ms: number, droplet: string, detail: string): DeployError {
  return new DeployError('health-timeout', `Not healthy within ${ms / 1_000} s: ${detail}.`, {
    droplet,
    hint: 'If the app only needs longer to start, raise rollout.health.timeout.',
  });
}

export function unhealthy(droplet: string, verdict: Extract<Verdict, { kind: 'failed' }>): DeployError {
  return new DeployError('unhealthy', `${capital(verdict.cause)}.`, {
    droplet,
    hint: 'Mend the image or its settings, then deploy again.',
  });
}

/** A container that this rollout did not start may have restarted long ago: only restarts since `before` count. */
export function sinceThen(before: readonly ContainerView[], now: readonly ContainerView[]): ContainerView[] {
  return now.map((container) => {
    const earlier = before.find((other) => other.id === container.id);
    return earlier === undefined ? container : { ...container, restarts: container.restarts - earlier.restarts };
  });
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
