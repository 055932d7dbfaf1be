/** Stories told by hand: a small fleet on which nothing goes wrong but what is told. */
import type { Behaviour } from './containers.js';
import type { CallName, Crash, Happening, PlannedFault, RunPlan, Scenario } from './scenario.js';

export const CALM: Scenario = {
  seed: 1,
  fleet: 2,
  target: 'ids',
  start: 'managed',
  app: 'single',
  image: { kind: 'good', answersMs: 300, readyMs: 1_200 },
  check: { intervalSeconds: 3, healthyThreshold: 2, unhealthyThreshold: 2, answerMs: 3, port: 80 },
  nodes: 1,
  load: { rate: 0, requestMs: 20, spread: 'even' },
  sticky: false,
  keepalive: false,
  strangers: 0,
  instrument: 'counters',
  delays: { showMs: 0, effectMs: 0, latencyMs: 0, readingMs: 0 },
  strict: false,
  policy: {
    batch: [1],
    onFailure: 'revert-droplet',
    drainTimeoutMs: 30_000,
    healthTimeoutMs: 15_000,
    interruptGraceMs: 3_000,
    allowDowntime: false,
  },
  runs: [],
  happenings: [],
};

const RUN: RunPlan = {
  command: 'deploy',
  tag: 'v2',
  force: false,
  startMs: 0,
  later: false,
  waitLockMs: 0,
  chaos: 0,
  faults: [],
};

type Parts = 'check' | 'load' | 'delays' | 'policy';

export type Told = Partial<Omit<Scenario, Parts | 'runs'>> & { [Part in Parts]?: Partial<Scenario[Part]> } & {
  /** Each begins when the one before has ended. */
  runs?: Partial<RunPlan>[];
};

/** Unless it is told otherwise, v2 is deployed once. */
export function tell(told: Told): Scenario {
  return {
    ...CALM,
    ...told,
    check: { ...CALM.check, ...told.check },
    load: { ...CALM.load, ...told.load },
    delays: { ...CALM.delays, ...told.delays },
    policy: { ...CALM.policy, ...told.policy },
    runs: (told.runs ?? [{}]).map((run, index) => ({ ...RUN, later: index > 0, ...run })),
  };
}

// --- what several stories tell ---

/** The balancer follows within the longest time that the product allows for. */
export const LAGS = { effectMs: 5_000 };

export const BUSY: Told['load'] = { rate: 50, spread: 'chance' };

/** The balancer takes long to find a droplet healthy again. */
export const SLOW: Told['check'] = { healthyThreshold: 5 };

/** Three droplets, of which one restarts once, and is then found healthy only after some checks. */
export const RESTARTS: Told = { fleet: 3, onlyOn: 0, check: { intervalSeconds: 1, healthyThreshold: 5 } };

/** Without a healthcheck, behind a balancer that takes it back sooner than it crashes again. */
export const CRASHES: Told = {
  app: 'bare',
  image: { kind: 'crash-loop', everyMs: 2_000 },
  check: { intervalSeconds: 1 },
};

/** So long after its start. */
export function hiccups(afterMs: number): Behaviour {
  return { kind: 'hiccups', readyMs: 5_500, afterMs };
}

export function dockerDown(atMs: number, forMs: number): Happening {
  return { atMs, kind: 'docker-down', droplet: 0, forMs };
}

/** The last of four, for good. */
export function refusesSsh(atMs: number): Happening {
  return { atMs, kind: 'ssh-refused', droplet: 3, forMs: 10_000_000 };
}

/** The first droplet falls ill. */
export function ill(atMs: number): Happening {
  return { atMs, kind: 'ill', droplet: 0, forMs: 60_000 };
}

/** The deployer dies when it has asked for its first droplet to be put back, or its second. */
export const DIES_BACK_IN: Crash = { call: 'add', nth: 0, applied: true, power: false };
export const DIES_BACK_IN_SECOND: Crash = { ...DIES_BACK_IN, nth: 1 };

/** The deployer is killed while a migration runs. */
export const DIES_MIGRATING: Crash = { call: 'once', nth: 0, applied: true, power: false };

export function unreachable(call: CallName, nth: number): PlannedFault {
  return { call, nth, fault: 'no', applied: false, roll: 0.5 };
}
