/**
 * Containers as Docker would show them at any moment. Nothing ticks: what a container is follows from its image's
 * behaviour and how long ago it was started.
 */

/** For so long a look at the containers waits for a Docker that is being restarted. */
export const DOCKER_BACK_WITHIN_MS = 30_000;

/** What an image does once it is started; all times in ms after the start. */
export type Behaviour =
  /** Answers from `answersMs` on, is called healthy from `readyMs` on. */
  | { kind: 'good'; answersMs: number; readyMs: number }
  /** Answers or not, but its healthcheck never passes; Docker calls it unhealthy after `giveUpMs`. */
  | { kind: 'never-healthy'; answers: boolean; giveUpMs: number }
  | { kind: 'exits'; afterMs: number; code: number; oom: boolean }
  /** Crashes and is restarted, for ever. */
  | { kind: 'crash-loop'; everyMs: number }
  /** Healthy for a while. */
  | { kind: 'sickens'; readyMs: number; afterMs: number }
  /** Healthy, then restarted once, then healthy. */
  | { kind: 'hiccups'; readyMs: number; afterMs: number }
  /** Its containers are healthy, the balancer's check fails. */
  | { kind: 'wrong-answer'; readyMs: number }
  /** `docker compose up` ends with exit code 1. */
  | { kind: 'does-not-start' }
  | { kind: 'one-shot'; afterMs: number; code: number };

export interface Container {
  /** Hexadecimal, as Docker's. */
  id: string;
  service: string;
  imageId: string;
  reference: string;
  behaviour: Behaviour;
  /** It has a healthcheck. */
  checked: boolean;
  /** It publishes the balancer's port. */
  published: boolean;
  pid: number;
  /** Infinity: made, and never started. */
  startedAt: number;
  /** Docker's restart policy. */
  restart: 'no' | 'unless-stopped';
  /** A command has stopped it, and none has started it since. */
  stopped?: boolean;
  /** It fell ill by itself, from then until then. */
  illFrom: number;
  illUntil: number;
  /** Health checks that have come in since it was started, and those of them that do-deploy has made. */
  checks: number;
  ownChecks: number;
}

export interface FleetMembership {
  state: 'created' | 'running' | 'restarting' | 'exited';
  health?: 'starting' | 'healthy' | 'unhealthy';
  exitCode: number;
  oomKilled: boolean;
  restarts: number;
  startedAt: number;
  answers: boolean;
}

/** How long Docker waits before it starts a crashed container again. */
const RESTART_PAUSE_MS = 300;

export function look(container: Container, at: number): FleetMembership {
  const age = at - container.startedAt;
  const { startedAt } = container;
  if (age < 0) return { state: 'created', exitCode: 0, oomKilled: false, restarts: 0, startedAt: 0, answers: false };
  if (container.stopped) return ended(startedAt, 0, false);
  const ill = at >= container.illFrom && at < container.illUntil;
  const seen = behave(container.behaviour, age, startedAt);
  if (!ill || seen.state !== 'running') return container.checked ? seen : withoutHealth(seen);
  return container.checked
    ? { ...seen, health: 'unhealthy', answers: false }
    : { ...withoutHealth(seen), answers: false };
}

function withoutHealth(seen: FleetMembership): FleetMembership {
  const { health: _, ...rest } = seen;
  return rest;
}

function running(
  startedAt: number,
  health: NonNullable<FleetMembership['health']>,
  answers: boolean,
  restarts = 0,
): FleetMembership {
  return { state: 'running', health, exitCode: 0, oomKilled: false, restarts, startedAt, answers };
}

function behave(behaviour: Behaviour, age: number, startedAt: number): FleetMembership {
  switch (behaviour.kind) {
    case 'good':
      return running(startedAt, age >= behaviour.readyMs ? 'healthy' : 'starting', age >= behaviour.answersMs);
    case 'never-healthy':
      return running(startedAt, age >= behaviour.giveUpMs ? 'unhealthy' : 'starting', behaviour.answers && age > 500);
    case 'exits':
      if (age < behaviour.afterMs) return running(startedAt, 'starting', age > 500);
      return ended(startedAt, behaviour.code, behaviour.oom);
    case 'crash-loop': {
      const restarts = Math.floor(age / behaviour.everyMs);
      const since = age - restarts * behaviour.everyMs;
      const born = startedAt + restarts * behaviour.everyMs;
      if (since < behaviour.everyMs - RESTART_PAUSE_MS) return running(born, 'starting', since > 500, restarts);
      return { ...ended(born, 1, false), state: 'restarting', restarts };
    }
    case 'sickens': {
      const sick = age >= behaviour.afterMs;
      return running(
        startedAt,
        sick ? 'unhealthy' : age >= behaviour.readyMs ? 'healthy' : 'starting',
        !sick && age >= behaviour.readyMs,
      );
    }
    case 'hiccups': {
      const again = age >= behaviour.afterMs;
      const since = again ? age - behaviour.afterMs : age;
      const ready = since >= behaviour.readyMs;
      return running(startedAt + age - since, ready ? 'healthy' : 'starting', ready, again ? 1 : 0);
    }
    case 'wrong-answer':
      return running(startedAt, age >= behaviour.readyMs ? 'healthy' : 'starting', false);
    case 'does-not-start':
      return ended(startedAt, 127, false);
    case 'one-shot':
      if (age < behaviour.afterMs) return running(startedAt, 'starting', false);
      return ended(startedAt, behaviour.code, false);
  }
}

function ended(startedAt: number, exitCode: number, oomKilled: boolean): FleetMembership {
  return { state: 'exited', exitCode, oomKilled, restarts: 0, startedAt, answers: false };
}

/** Whether it is as its maker wants it: the simulation's own judgement, not the product's. */
export function isFine(container: Container, at: number): boolean {
  const seen = look(container, at);
  if (container.behaviour.kind === 'one-shot') return seen.state === 'exited' && seen.exitCode === 0;
  return seen.state === 'running' && seen.restarts < 3 && (!container.checked || seen.health === 'healthy');
}

const STEADY_MS = 3_000;

/** Whether it has ever run for three seconds without a restart, or its healthcheck says more than that. */
export function wasSteady({ behaviour, checked, startedAt }: Container, at: number): boolean {
  if (checked || behaviour.kind === 'one-shot') return true;
  const longest = behaviour.kind === 'crash-loop' ? behaviour.everyMs - RESTART_PAUSE_MS : Number.POSITIVE_INFINITY;
  return Math.min(longest, at - startedAt) >= STEADY_MS;
}

/** An entry of `docker inspect`. @param skewMs the droplet's clock minus the world's */
export function inspect(container: Container, at: number, skewMs: number): string {
  const seen = look(container, at);
  const started = seen.startedAt === 0 ? '0001-01-01T00:00:00Z' : new Date(seen.startedAt + skewMs).toISOString();
  const up = seen.state === 'running';
  const health =
    seen.health === undefined
      ? ''
      : `,"Health":{"Status":"${seen.health}","Log":[{"Output":"${seen.health === 'healthy' ? 'ok' : 'connection refused'}\\n"}]}`;
  const ports =
    container.published && up
      ? '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"80"},{"HostIp":"::","HostPort":"80"}],"81/tcp":[{"HostIp":"0.0.0.0","HostPort":"81"}]}'
      : '{}';
  return `{"Id":"${container.id}","Image":"${container.imageId}","RestartCount":${seen.restarts},"State":{"Status":"${seen.state}","OOMKilled":${seen.oomKilled},"ExitCode":${seen.exitCode},"Error":"","Pid":${up ? container.pid : 0},"StartedAt":"${started}"${health}},"Config":{"Image":"${container.reference}","Labels":{"com.docker.compose.service":"${container.service}"}},"HostConfig":{"RestartPolicy":{"Name":"${container.restart}"},"NetworkMode":"shop_default"},"NetworkSettings":{"Ports":${ports}}}`;
}
