/** Decides whether a compose project is healthy. Pure: observed containers go in, a verdict comes out. */

/** The fields of `docker inspect` that the verdict needs. */
export interface ContainerView {
  id: string;
  service: string;
  /** created, running, restarting, exited, paused, dead, removing */
  state: string;
  /** Absent without a healthcheck. */
  health?: 'starting' | 'healthy' | 'unhealthy';
  /** The last output of its healthcheck. */
  healthOutput?: string;
  /**
   * It has just answered the balancer's check, made on the droplet; Docker has never restarted it; and it will have run for
   * `STEADY_MS` before the balancer can send traffic.
   */
  answers?: boolean;
  exitCode: number;
  /** Now, or at an earlier look of this run. */
  oomKilled: boolean;
  /** Docker's error message from starting it. */
  error?: string;
  /** Restarts by Docker's restart policy. */
  restarts: number;
  restartPolicy: string;
  /** A layer has stopped or signalled it before its droplet left, and it was not started again. */
  handled?: boolean;
  /** Milliseconds since the epoch, by the droplet's clock. */
  startedAt: number;
  /** How long Docker waits for it to stop before it kills it, in ms; absent: Docker's default. */
  stopGraceMs?: number;
  imageId: string;
  imageRef: string;
  pid: number;
  /** On the `host` network: its ports are the droplet's. */
  hostNetwork: boolean;
  /** Published tcp ports. */
  ports: { host: number; container: number }[];
}

/** A service of `docker compose config`. */
export interface ServiceSpec {
  name: string;
  image: string;
  replicas: number;
  /** It publishes ports or has a healthcheck, so it must keep running; others may end with exit code 0. */
  stays: boolean;
  /** Another service waits for it to complete. */
  oneShot: boolean;
}

export type Verdict =
  | { kind: 'healthy' }
  | { kind: 'waiting'; detail: string }
  /** It can no longer become healthy. `cause` is a sentence without a full stop: "app exited 137: out of memory". */
  | { kind: 'failed'; service: string; cause: string };

/** A container without a healthcheck counts as healthy after it has run this long without a restart, or if it `answers`. */
export const STEADY_MS = 3_000;
/** Docker restarts a crashing container for ever; from this count on it is a crash loop. */
export const CRASH_LOOP_RESTARTS = 3;
/** Docker counts all restarts of a container: after it has run this long, they no longer count as a crash loop. */
export const CALM_MS = 600_000;

/**
 * @param services of the release; empty: the running containers are judged on their own
 * @param now the droplet's clock, ms since the epoch
 */
export function judgeHealth(
  services: readonly ServiceSpec[],
  containers: readonly ContainerView[],
  now: number,
): Verdict {
  if (services.length > 0) return judgeServices(services, containers, now);
  // Containers that have ended, such as those of a removed service, say nothing about what serves.
  const alive = containers.filter(isAlive);
  const named = new Map(alive.map((container) => [container.service, aloneAsService(container)]));
  return judgeServices([...named.values()], alive, now);
}

/** Whether time alone may make it healthy: a container has been started, and its health does not show yet. */
export function isStarting(
  services: readonly ServiceSpec[],
  containers: readonly ContainerView[],
  now: number,
): boolean {
  if (judgeHealth(services, containers, now).kind !== 'waiting') return false;
  const isNew = ({ health, startedAt }: ContainerView) =>
    health === 'starting' || (health === undefined && now - startedAt < STEADY_MS);
  return containers.some((container) => container.state === 'running' && isNew(container));
}

/** For a project that do-deploy did not start: only its containers are known. */
function aloneAsService({ service, imageRef }: ContainerView): ServiceSpec {
  return { name: service, image: imageRef, replicas: 1, stays: false, oneShot: false };
}

/** A command has stopped it: of these restart policies, Docker would have started it again. */
export function wasStopped({ state, restartPolicy, handled }: ContainerView): boolean {
  if (state !== 'exited') return false;
  return handled === true || restartPolicy === 'always' || restartPolicy === 'unless-stopped';
}

/** As after SIGTERM, or SIGKILL; or a layer has stopped it, however it has ended. */
function endedByStop({ exitCode, oomKilled, error, handled }: ContainerView): boolean {
  return handled === true || (error === undefined && !oomKilled && [0, 137, 143].includes(exitCode));
}

/** It runs, or Docker may still start it. */
export function isAlive({ state }: ContainerView): boolean {
  return state !== 'exited' && state !== 'dead';
}

function judgeServices(services: readonly ServiceSpec[], containers: readonly ContainerView[], now: number): Verdict {
  const waits: string[] = [];
  for (const service of services) {
    const own = containers.filter((container) => container.service === service.name);
    const verdicts = own.map((container) => judgeContainer(service, container, now));
    const failed = verdicts.find((verdict) => verdict.kind === 'failed');
    if (failed) return failed;
    const wait = verdicts.find((verdict) => verdict.kind === 'waiting');
    if (wait?.kind === 'waiting') waits.push(wait.detail);
    else if (own.length < service.replicas) {
      waits.push(
        own.length === 0 ? `${service.name} has no container` : `${service.name} ${own.length}/${service.replicas}`,
      );
    }
  }
  return waits.length === 0 ? { kind: 'healthy' } : { kind: 'waiting', detail: waits.join(', ') };
}

function judgeContainer(service: ServiceSpec, container: ContainerView, now: number): Verdict {
  const { name } = service;
  const failed = (cause: string): Verdict => ({ kind: 'failed', service: name, cause });
  const calm = container.state === 'running' && now - container.startedAt >= CALM_MS;
  if (container.restarts >= CRASH_LOOP_RESTARTS && !calm) {
    // While it is running again, Docker reports exit code 0 instead of the last one.
    const ended = container.state === 'running' ? memoryPhrase(container, ', ') : `, ${exitPhrase(container)}`;
    return failed(`${name} keeps restarting: ${container.restarts} times${ended}`);
  }
  switch (container.state) {
    case 'running':
      return judgeRunning(service, container, now);
    case 'exited':
    case 'dead':
      if (wasStopped(container) && !service.oneShot && endedByStop(container)) {
        return failed(`${name} was stopped, and not started again`);
      }
      if (container.exitCode !== 0 || container.error) return failed(`${name} ${exitPhrase(container)}`);
      if (service.stays && !service.oneShot) return failed(`${name} exited 0, but it is meant to keep running`);
      return { kind: 'healthy' };
    case 'restarting':
      return { kind: 'waiting', detail: `${name} restarting (${exitPhrase(container)})` };
    default:
      if (container.error) return failed(`${name} did not start: ${container.error}`);
      return { kind: 'waiting', detail: `${name} ${container.state}` };
  }
}

function judgeRunning(service: ServiceSpec, container: ContainerView, now: number): Verdict {
  const { name } = service;
  if (container.health === 'unhealthy') {
    const output = container.healthOutput ? `: ${container.healthOutput}` : '';
    return { kind: 'failed', service: name, cause: `${name} is unhealthy${output}` };
  }
  if (container.health === 'starting') return { kind: 'waiting', detail: `${name} starting` };
  if (service.oneShot) return { kind: 'waiting', detail: `${name} still running` };
  if (container.health === undefined && !container.answers && now - container.startedAt < STEADY_MS) {
    return { kind: 'waiting', detail: `${name} just started` };
  }
  return { kind: 'healthy' };
}

function memoryPhrase({ oomKilled }: ContainerView, before: string): string {
  return oomKilled ? `${before}out of memory` : '';
}

function exitPhrase(container: ContainerView): string {
  if (container.oomKilled) return `exited ${container.exitCode}${memoryPhrase(container, ': ')}`;
  if (container.error) return `exited ${container.exitCode}: ${container.error}`;
  if (container.exitCode === 137) return 'exited 137: killed';
  if (container.exitCode === 127) return 'exited 127: command not found in the image';
  if (container.exitCode === 126) return 'exited 126: command not executable in the image';
  return `exited ${container.exitCode}`;
}

/**
 * Why a project is not healthy, as far as its containers show, as a sentence without a full stop. Of the containers that
 * ended, restarted or are unhealthy, it names the one that started first: the others may only be waiting for it.
 */
export function causeOf(containers: readonly ContainerView[]): string | undefined {
  const sick = containers.filter(isSick).sort((a, b) => a.startedAt - b.startedAt);
  const [container] = sick.filter((one) => one.oomKilled || one.state !== 'running').concat(sick);
  if (container === undefined) return undefined;
  const { service } = container;
  if (container.state !== 'running') return `${service} ${exitPhrase(container)}`;
  if (container.health === 'unhealthy')
    return `${service} is unhealthy${container.healthOutput ? `: ${container.healthOutput}` : ''}`;
  const times = container.restarts === 1 ? 'once' : `${container.restarts} times`;
  return `${service} restarted ${times}${memoryPhrase(container, ': ')}`;
}

/** Failed, restarted or unhealthy. */
export function isSick(container: ContainerView): boolean {
  if (container.state === 'running') return container.health === 'unhealthy' || container.restarts > 0;
  return container.exitCode !== 0 || container.state === 'restarting';
}

/**
 * The service of a container that was restarted between two observations, if there is one. This detects a crash loop
 * even if each observation finds the container running.
 */
export function restartedSince(before: readonly ContainerView[], after: readonly ContainerView[]): string | undefined {
  for (const container of after) {
    const earlier = before.find((other) => other.id === container.id);
    if (earlier && earlier.state === 'running' && container.startedAt > earlier.startedAt) return container.service;
    if (earlier && container.restarts > earlier.restarts) return container.service;
  }
  return undefined;
}
