/**
 * Services of one droplet that do the same work behind a proxy on it (`replicas:`). They are switched one after the other, so
 * that another one serves all the time. Those that do not serve go first: they raise the capacity before others lower it, also
 * on the way back after one of them has failed.
 */

import type { ReplicaSettings, Settings } from '../../config/settings.js';
import { type ContainerView, isAlive, judgeHealth, STEADY_MS, type Verdict } from '../../rollout/health.js';
import { pollPause } from '../core/polling.js';
import { loadContainers } from '../droplet/containers.js';
import type { Member } from '../droplet/member.js';
import type { StoredRelease } from '../release/stored-release.js';
import { appCheckFailed, appCheckUnderLease } from './app-check.js';
import { notHealthyWithin, sinceThen, unhealthy } from './await-health.js';
import type { StepContext } from './run.js';

const POLL_EVERY_MS = 200;

type Service = StoredRelease['services'][number];

export function replicasOf({ target }: Pick<Settings, 'target'>): ReplicaSettings | undefined {
  return target.kind === 'droplet' ? target.replicas : undefined;
}

/**
 * The replicas of the release in the order in which they are switched; empty where all containers are started together: it
 * has no two of them, or none runs that could serve meanwhile.
 * @param now the droplet's clock
 */
export function replicasInOrder(
  { services }: Pick<StoredRelease, 'services'>,
  { services: named }: Pick<ReplicaSettings, 'services'>,
  containers: readonly ContainerView[],
  now: number,
): Service[] {
  const replicas = named.flatMap((name) => services.find((service) => service.name === name) ?? []);
  const serves = ({ name }: Service) => {
    const own = containersOf(name, containers);
    return own.some(isAlive) && judgeHealth([aloneSpec(name)], own, now).kind === 'healthy';
  };
  const isRunning = replicas.some(({ name }) => containersOf(name, containers).some(isAlive));
  if (replicas.length < 2 || !isRunning) return [];
  return [...replicas.filter((one) => !serves(one)), ...replicas.filter(serves)];
}

function containersOf(name: string, containers: readonly ContainerView[]): ContainerView[] {
  return containers.filter(({ service }) => service === name);
}

/** The old release may have run another number of containers of it. */
function aloneSpec(name: string): Service {
  return { name, image: '', replicas: 1, stays: true, oneShot: false };
}

/** Waits until the replica is healthy, has run for 3 s, and the app answers. Throws DeployError. */
export async function awaitReplica(
  member: Member,
  run: StepContext,
  service: Service,
  { timeoutMs }: Pick<ReplicaSettings, 'timeoutMs'>,
): Promise<void> {
  const { clock } = run.ports;
  const began = clock.now();
  const before = member.containers;
  for (;;) {
    const now = await loadContainers(member, run.settings.app);
    const own = containersOf(service.name, sinceThen(before, member.containers));
    const verdict = steadily(judgeHealth([service], own, now), own, now);
    if (verdict.kind === 'failed') throw unhealthy(member.host.name, verdict);
    const isLate = clock.now() - began >= timeoutMs;
    if (verdict.kind === 'healthy') {
      const response = await appCheckUnderLease(member, run, portFor(own, run.settings));
      if (response === undefined || response.passed) return;
      if (isLate) throw appCheckFailed(member, run, response.detail);
      run.progress(`${service.name}: ${response.detail}`);
      await clock.sleep(run.settings.rollout.healthHttp?.intervalMs ?? POLL_EVERY_MS);
      continue;
    }
    if (isLate) throw notHealthyWithin(timeoutMs, member.host.name, verdict.detail);
    run.progress(verdict.detail);
    await clock.sleep(pollPause(clock.now() - began, POLL_EVERY_MS));
  }
}

/** One that starts well and crashes a moment later must not cost the next one its place. */
function steadily(verdict: Verdict, own: readonly ContainerView[], now: number): Verdict {
  const young = own.find(({ state, startedAt }) => state === 'running' && now - startedAt < STEADY_MS);
  if (verdict.kind !== 'healthy' || young === undefined) return verdict;
  return { kind: 'waiting', detail: `${young.service} just started` };
}

/** Where the replica itself publishes the app's port, it is asked there; otherwise the port of the settings leads to a proxy. */
function portFor(own: readonly ContainerView[], { rollout }: Settings): number | undefined {
  const wanted = rollout.healthHttp?.port;
  return own.flatMap(({ ports }) => ports).find(({ container }) => container === wanted)?.host;
}
