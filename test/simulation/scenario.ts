/** A whole story, as plain data: a world, who deploys into it, and what goes wrong. */
import type { BatchSize, OnFailure } from '../../src/config/settings.js';
import type { Behaviour } from './containers.js';
import type { AppKind } from './project.js';

/** Every call of a port, by the name under which a fault can be planned for it. Remote commands go by their own. */
export type CallName = string;

export interface PlannedFault {
  call: CallName;
  /** From 0: which of its calls of this name. */
  nth: number;
  fault: FaultKind;
  /** Where the outcome is unknown: whether it took effect. */
  applied: boolean;
  /** In [0, 1): settles the details (which error, how long). */
  roll: number;
}

/**
 * `no`: an error, and certainly nothing was changed. `maybe`: an error, and nobody knows. `drop`: the connection drops,
 * and can be made again. `slow`: it takes long. `fails`: it is done, and answers that it failed. `revoked`: the token
 * is refused from here on.
 */
export type FaultKind = 'no' | 'maybe' | 'drop' | 'slow' | 'fails' | 'revoked';

export interface Crash {
  call: CallName;
  nth: number;
  /** The call it dies in still takes effect. */
  applied: boolean;
  /** The machine loses power: nobody closes its connections. Else the process is killed. */
  power: boolean;
}

export interface RunPlan {
  command:
    | 'deploy'
    | 'heal'
    | 'rollback'
    | 'adopt'
    | 'promote'
    | 'abort'
    | 'restart'
    | 'stop'
    | 'start'
    | 'droplet out'
    | 'droplet in';
  /** Of a deploy: it is held after so many droplets. */
  canary?: number;
  /**
   * Of a deploy, and of a rollback; there '' is the release before. Of a restart: '' or a service; of a stop and a start: the service. Of `droplet out` and
   * `droplet in`: the name of the droplet.
   */
  tag: string;
  force: boolean;
  /** After the beginning of the story, or (`later`) after the runs before it have ended. */
  startMs: number;
  later: boolean;
  waitLockMs: number;
  /** The chance of a fault at each call. */
  chaos: number;
  faults: PlannedFault[];
  crash?: Crash;
  interrupt?: { call: CallName; nth: number; secondAfterMs?: number };
  /** Its machine's clock is ahead of the droplets' and the others'. */
  clockAheadMs?: number;
}

/** Something that nobody in the story does. `droplet` is an index. */
export interface Happening {
  atMs: number;
  kind:
    | 'ill' // its containers fail, until they are made anew or it is over
    | 'removed' // somebody takes it out of the balancer, and puts it back when it is over
    | 'destroyed'
    | 'joined' // somebody adds a new droplet to the balancer
    | 'ssh-refused'
    | 'ssh-away' // the deployers' SSH connections go dead; the API still answers
    | 'offline' // the deployers' whole network is gone
    | 'docker-down' // the Docker daemon does not answer; containers run on
    | 'disk-full' // nothing can be written
    | 'lock-broken'; // somebody kills the lease's process
  droplet: number;
  forMs: number;
}

export interface Scenario {
  /** For everything that is not told here: delays, jitter, details of chaos. */
  seed: number;
  fleet: number;
  /**
   * `ids`, `tag`: of a balancer; `tagged`, `listed`: droplets without one, by a tag or a list; `droplet`: a single one;
   * `roles`: the first half behind a balancer, the others without one, by a tag.
   */
  target: 'ids' | 'tag' | 'droplet' | 'tagged' | 'listed' | 'roles';
  /** `managed`: an earlier deploy's; `legacy`: containers that somebody else started; `empty`: nothing runs. */
  start: 'managed' | 'legacy' | 'empty';
  app: AppKind;
  /** What the release `v2` does. */
  image: Behaviour;
  /** Only on this droplet (an index) it does; elsewhere it is good. */
  onlyOn?: number;
  /**
   * `answerMs`: a droplet takes up to that long to answer a check. `port`: the app's own (80), another one of the same
   * container (81), or one that something else than the app's containers listens on (9000).
   */
  check: {
    intervalSeconds: number;
    healthyThreshold: number;
    unhealthyThreshold: number;
    answerMs: number;
    port: 80 | 81 | 9000;
  };
  /** Of the balancer; each acts on a change, checks and sends by itself. */
  nodes: number;
  /**
   * Requests a second to each droplet that serves, and how long one takes. `burst`: so many come at a time. `spread`: one
   * after the other, or each by chance. `part`: every second droplet gets only this part of what others get.
   */
  load: { rate: number; requestMs: number; burst?: number; spread: 'even' | 'chance'; part?: number };
  /** Clients are kept to a droplet each: bursts come to one droplet at one time and to another at another. */
  sticky: boolean;
  /** The balancer keeps its connections: hardly any request arrives as a new one. */
  keepalive: boolean;
  /** Connections a second to each droplet's public address. */
  strangers: number;
  /** `deaf`: the balancer comes in by a way that the counters do not see; `own`: only do-deploy's own checks pass them. */
  instrument: 'counters' | 'sockets' | 'none' | 'deaf' | 'own';
  /**
   * At most so long until GET shows a change, and from there until the balancer acts on it. `readingMs`: between the two
   * parts of a reading at a door.
   */
  delays: { showMs: number; effectMs: number; latencyMs: number; readingMs: number };
  /** How the API answers a change that changes nothing: 204, or an error. */
  strict: boolean;
  policy: {
    batch: BatchSize[];
    minInRotation?: number;
    onFailure: OnFailure;
    drainTimeoutMs: number;
    healthTimeoutMs: number;
    interruptGraceMs: number;
    allowDowntime: boolean;
    pauseMs?: number;
    bakeMs?: number;
  };
  /** A gate that says no from some time after the beginning on, for some time. */
  gate?: { everyMs: number; failAfter: number; badFromMs: number; badForMs: number; answerMs: number };
  /** The site answers wrongly from some time after the beginning on, for some time. */
  probe?: { intervalMs: number; maxFailures: number; badFromMs: number; badForMs: number; answerMs: number };
  /** The project has layers, and their handlers fail now and then. */
  layers?: boolean;
  /** The app is asked on each droplet: `rollout.health.http`. */
  http?: boolean;
  /** One of them migrates. */
  migrates?: boolean;
  runs: RunPlan[];
  happenings: Happening[];
}

/** The tags of a story: `v0` and `v1` were deployed before; `v2` behaves as the story says; the others are good. */
export const BEFORE = ['v0', 'v1'] as const;
export const RIVAL = 'v3';
export const CURE = 'v9';
