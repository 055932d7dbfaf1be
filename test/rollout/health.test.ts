import { describe, expect, it } from 'vitest';
import {
  CALM_MS,
  type ContainerView,
  CRASH_LOOP_RESTARTS,
  causeOf,
  isStarting,
  judgeHealth,
  restartedSince,
  type ServiceSpec,
} from '../../src/rollout/health.js';

const NOW = 1_000_000;

function aContainer(overrides: Partial<ContainerView> = {}): ContainerView {
  return {
    id: 'c1',
    service: 'app',
    state: 'running',
    exitCode: 0,
    oomKilled: false,
    restarts: 0,
    restartPolicy: 'unless-stopped',
    startedAt: NOW - 60_000,
    imageId: 'sha256:1',
    imageRef: 'shop:v1',
    pid: 42,
    hostNetwork: false,
    ports: [],
    ...overrides,
  };
}

function aService(overrides: Partial<ServiceSpec> = {}): ServiceSpec {
  return { name: 'app', image: 'shop:v1', replicas: 1, stays: true, oneShot: false, ...overrides };
}

const judge = (containers: Partial<ContainerView>[], service: Partial<ServiceSpec> = {}) =>
  judgeHealth([aService(service)], containers.map(aContainer), NOW);

describe('a project is healthy', () => {
  it.each<[string, Partial<ContainerView>[], Partial<ServiceSpec>]>([
    ['when its healthcheck passes', [{ health: 'healthy' }], {}],
    ['without a healthcheck when it has run for some seconds', [{}], {}],
    ['without a healthcheck when it answers', [{ startedAt: NOW, answers: true }], {}],
    ['when a one-shot has ended with 0', [{ state: 'exited' }], { oneShot: true }],
    [
      'when a service that publishes nothing has ended with 0',
      [{ state: 'exited', restartPolicy: 'no' }],
      { stays: false },
    ],
    [
      'when all of a scaled service are',
      [
        { id: 'a', health: 'healthy' },
        { id: 'b', health: 'healthy' },
      ],
      { replicas: 2 },
    ],
    ['with no service at all', [], { replicas: 0 }],
    ['when its last crash was long ago', [{ restarts: CRASH_LOOP_RESTARTS, startedAt: NOW - CALM_MS }], {}],
  ])('%s', (_name, containers, service) => {
    expect(judge(containers, service)).toEqual({ kind: 'healthy' });
  });
});

describe('a project is not healthy yet', () => {
  it.each<[string, Partial<ContainerView>[], Partial<ServiceSpec>, string]>([
    ['while a healthcheck starts', [{ health: 'starting' }], {}, 'app starting'],
    ['while a healthcheck starts, though it answers', [{ health: 'starting', answers: true }], {}, 'app starting'],
    ['while it has just started and has no healthcheck', [{ startedAt: NOW - 1_000 }], {}, 'app just started'],
    ['after the first crash', [{ state: 'restarting', exitCode: 1, restarts: 1 }], {}, 'app restarting (exited 1)'],
    ['while a one-shot runs', [{}], { oneShot: true }, 'app still running'],
    ['without a container', [], {}, 'app has no container'],
    ['while one of two is there', [{ health: 'healthy' }], { replicas: 2 }, 'app 1/2'],
    [
      'while one of two starts',
      [
        { id: 'a', health: 'healthy' },
        { id: 'b', health: 'starting' },
      ],
      { replicas: 2 },
      'app starting',
    ],
    ['while it is created', [{ state: 'created' }], {}, 'app created'],
  ])('%s', (_name, containers, service, detail) => {
    expect(judge(containers, service)).toEqual({ kind: 'waiting', detail });
  });
});

describe('a project can no longer become healthy', () => {
  it.each<[string, Partial<ContainerView>, Partial<ServiceSpec>, string]>([
    ['unhealthy', { health: 'unhealthy', healthOutput: 'HTTP 503' }, {}, 'app is unhealthy: HTTP 503'],
    ['exited', { state: 'exited', exitCode: 3 }, {}, 'app exited 3'],
    ['a one-shot that fails', { state: 'exited', exitCode: 1 }, { oneShot: true }, 'app exited 1'],
    ['out of memory', { state: 'exited', exitCode: 137, oomKilled: true }, {}, 'app exited 137: out of memory'],
    ['killed', { state: 'exited', exitCode: 137, restartPolicy: 'no' }, {}, 'app exited 137: killed'],
    ['no such command', { state: 'exited', exitCode: 127 }, {}, 'app exited 127: command not found in the image'],
    [
      'ended, though it should stay',
      { state: 'exited', restartPolicy: 'no' },
      {},
      'app exited 0, but it is meant to keep running',
    ],
    [
      'stopped, as its restart policy shows',
      { state: 'exited' },
      { stays: false },
      'app was stopped, and not started again',
    ],
    [
      'stopped by a layer',
      { state: 'exited', restartPolicy: 'no', handled: true },
      { stays: false },
      'app was stopped, and not started again',
    ],
    [
      'a crash loop',
      { state: 'restarting', exitCode: 1, restarts: CRASH_LOOP_RESTARTS },
      {},
      `app keeps restarting: ${CRASH_LOOP_RESTARTS} times, exited 1`,
    ],
    [
      'a crash loop that is observed running, with exit code 0 from Docker',
      { exitCode: 0, restarts: CRASH_LOOP_RESTARTS },
      {},
      `app keeps restarting: ${CRASH_LOOP_RESTARTS} times`,
    ],
    [
      'a crash loop of which an earlier look showed why',
      { oomKilled: true, restarts: CRASH_LOOP_RESTARTS },
      {},
      `app keeps restarting: ${CRASH_LOOP_RESTARTS} times, out of memory`,
    ],
    ['never started', { state: 'created', error: 'port is taken' }, {}, 'app did not start: port is taken'],
  ])('%s', (_name, container, service, cause) => {
    expect(judge([container], service)).toEqual({ kind: 'failed', service: 'app', cause });
  });

  it('when one container of a scaled service has failed', () => {
    const containers = [
      { id: 'a', health: 'healthy' as const },
      { id: 'b', health: 'unhealthy' as const },
    ];
    expect(judge(containers, { replicas: 2 })).toMatchObject({ kind: 'failed' });
  });
});

describe('a project that do-deploy did not start', () => {
  const judgeAlone = (...containers: Partial<ContainerView>[]) => judgeHealth([], containers.map(aContainer), NOW);

  it('is judged by its running containers', () => {
    expect(judgeAlone({ health: 'healthy' }, { service: 'web' })).toEqual({ kind: 'healthy' });
    expect(judgeAlone({ health: 'unhealthy' }, { service: 'web' })).toMatchObject({ kind: 'failed', service: 'app' });
    expect(judgeAlone({ health: 'starting' })).toEqual({ kind: 'waiting', detail: 'app starting' });
    expect(judgeAlone({ state: 'restarting', exitCode: 1, restarts: 1 })).toMatchObject({ kind: 'waiting' });
  });

  it('is reported once for a scaled service', () => {
    expect(judgeAlone({ id: 'a', health: 'starting' }, { id: 'b', health: 'starting' })).toEqual({
      kind: 'waiting',
      detail: 'app starting',
    });
  });

  it('is not judged by containers that have ended', () => {
    expect(judgeAlone({ health: 'healthy' }, { service: 'old', state: 'exited', exitCode: 1 })).toEqual({
      kind: 'healthy',
    });
  });
});

describe('a restart between two observations', () => {
  it('is detected by the count or by a later start', () => {
    const before = [aContainer()];
    expect(restartedSince(before, [aContainer({ restarts: 1 })])).toBe('app');
    expect(restartedSince(before, [aContainer({ startedAt: NOW })])).toBe('app');
    expect(restartedSince(before, [aContainer()])).toBeUndefined();
  });
});

describe('the cause', () => {
  it('names the container that ended, not those that wait for it', () => {
    const waiting = aContainer({ id: 'n', service: 'nginx', state: 'created', startedAt: 0 });
    const oom = aContainer({ state: 'restarting', exitCode: 137, oomKilled: true, restarts: 1 });
    expect(causeOf([waiting, oom])).toBe('app exited 137: out of memory');
  });

  it('is what an earlier look showed, also when the container runs again', () => {
    expect(causeOf([aContainer({ oomKilled: true, restarts: 1 })])).toBe('app restarted once: out of memory');
  });

  it('is absent when nothing is wrong', () => {
    expect(causeOf([aContainer()])).toBeUndefined();
  });
});

describe('time alone may make a project healthy', () => {
  const starting = (...containers: Partial<ContainerView>[]) =>
    isStarting([aService({ replicas: containers.length })], containers.map(aContainer), NOW);

  it.each<[string, Partial<ContainerView>]>([
    ['while a healthcheck has not passed', { health: 'starting' }],
    ['in the first seconds without a healthcheck', { startedAt: NOW - 2_999 }],
  ])('%s', (_, container) => {
    expect(starting(container)).toBe(true);
    expect(starting({ id: 'a', health: 'healthy' }, { ...container, id: 'b' })).toBe(true);
    expect(starting({ id: 'a', health: 'unhealthy' }, { ...container, id: 'b' }), 'and another is sick').toBe(false);
  });

  it.each<[string, Partial<ContainerView>]>([
    ['when it is healthy', { health: 'healthy' }],
    ['when it is unhealthy', { health: 'unhealthy' }],
    ['when it has run for some seconds', { startedAt: NOW - 3_000 }],
    ['when it has ended', { state: 'exited', exitCode: 1, startedAt: NOW }],
    ['while Docker restarts it', { state: 'restarting', exitCode: 1, startedAt: NOW }],
    ['when it was only created', { state: 'created', startedAt: 0 }],
  ])('not %s', (_, container) => {
    expect(starting(container)).toBe(false);
  });

  it('not when there is no container', () => {
    expect(isStarting([aService()], [], NOW)).toBe(false);
  });
});
