/** Starting a release while compose waits: for old containers to stop, or for new ones that never become healthy. */
import { describe, expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import { switchRelease } from '../../../src/deploy/steps/switch-release.js';
import { ShellError } from '../../../src/errors.js';
import type { CommandResult, RemoteCommand } from '../../../src/ports.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const HEALTH_TIMEOUT_MS = 60_000;

interface Observed {
  status?: string;
  health?: string;
  exitCode?: number;
  restarts?: number;
}

/** As long as it takes an old container to stop; Docker kills it after that. */
const GRACE_MS = 150_000;

/** Compose's `up` ends after `upMs`; the new container exists after 3 s, in the state that `seen` returns. */
async function start(upMs: number, seen: (now: number) => Observed) {
  const clock = new VirtualClock({ start: 0 });
  const ends: string[] = [];
  const timeouts: number[] = [];
  const inspect = (id: string, { status = 'running', health, exitCode = 0, restarts = 0 }: Observed) =>
    JSON.stringify([
      {
        Id: id,
        Image: 'sha256:2',
        RestartCount: restarts,
        State: {
          Status: status,
          OOMKilled: false,
          ExitCode: exitCode,
          Error: '',
          Pid: 7,
          StartedAt: '1970-01-01T00:00:00Z',
          ...(health && { Health: { Status: health, Log: [] } }),
        },
        Config: { Image: 'web', Labels: { 'com.docker.compose.service': 'web' }, StopTimeout: GRACE_MS / 1_000 },
        HostConfig: { RestartPolicy: { Name: 'no' }, NetworkMode: 'shop_default' },
        NetworkSettings: { Ports: {} },
      },
    ]);
  const run = async (command: RemoteCommand, { signal }: { signal?: AbortSignal } = {}): Promise<CommandResult> => {
    if (command.name === 'switch') {
      timeouts.push(command.timeoutMs);
      await clock.sleep(upMs, signal);
      ends.push(signal?.aborted ? 'stopped' : 'ended');
      if (signal?.aborted) throw new ShellError('signal', 'unknown', '"switch" was interrupted.');
      return { code: 0, stdout: '', stderr: '' };
    }
    const shown = clock.now() < 3_000 ? inspect('old', {}) : inspect('new', seen(clock.now()));
    return { code: 0, stdout: `now ${clock.now() / 1_000}\n${shown}`, stderr: '' };
  };
  const member = {
    droplet: { id: 1 },
    host: { name: 'web-1' },
    connection: { run },
    containers: [],
    services: [],
    survey: { releases: [] },
  } as unknown as Member;
  const services = [{ name: 'web', image: 'web', replicas: 1, stays: true, oneShot: false }];
  const context = {
    ports: { clock },
    settings: { app: 'shop', rollout: { healthTimeoutMs: HEALTH_TIMEOUT_MS }, target: { kind: 'droplet', id: 1 } },
    release: { app: 'shop', id: 'v2', services, images: {}, composeFiles: [], envFiles: [] },
    id: 'run',
    progress: () => {},
  } as unknown as StepContext;
  const result = await clock.run(switchRelease(member, context));
  return { ...result, seconds: clock.now() / 1_000, ends, timeoutMs: timeouts[0] ?? 0 };
}

describe('starting a release', () => {
  it('that is slow, but gets there, is waited for', async () => {
    const { failure, ends } = await start(50_000, () => ({ health: 'starting' }));
    expect([failure, ends]).toEqual([undefined, ['ended']]);
  });

  it('whose healthcheck never passes ends with health.timeout, also on the droplet', async () => {
    const { failure, seconds, ends } = await start(1e9, () => ({ health: 'starting' }));
    expect(failure).toMatchObject({ code: 'health-timeout', message: 'Not healthy within 1 min: web starting.' });
    expect(seconds).toBeLessThan(70);
    expect(ends).toEqual(['stopped']);
  });

  it('that waits for an old container to stop starts its clock when the new ones start', async () => {
    const stopped = (now: number) => now >= GRACE_MS;
    const { failure, ends, timeoutMs } = await start(GRACE_MS + 50_000, (now) =>
      stopped(now) ? { health: 'starting' } : { status: 'created' },
    );
    expect([failure, ends]).toEqual([undefined, ['ended']]);
    expect(timeoutMs, 'the bound of the command').toBeGreaterThan(GRACE_MS + HEALTH_TIMEOUT_MS);
  });

  it('whose containers start late and never become healthy ends with health.timeout after that', async () => {
    const { failure, seconds } = await start(1e9, (now) =>
      now >= GRACE_MS ? { health: 'starting' } : { status: 'created' },
    );
    expect(failure).toMatchObject({ code: 'health-timeout' });
    expect(seconds).toBeGreaterThan(GRACE_MS / 1_000 + 59);
    expect(seconds).toBeLessThan(GRACE_MS / 1_000 + 70);
  });

  it('that keeps crashing ends as soon as that is plain', async () => {
    const { failure, seconds, ends } = await start(1e9, (now) => ({
      status: 'restarting',
      exitCode: 3,
      restarts: now / 5_000,
    }));
    expect(failure).toMatchObject({ code: 'unhealthy', message: 'Service web keeps restarting: 3 times, exited 3.' });
    expect(seconds).toBeLessThan(20);
    expect(ends).toEqual(['stopped']);
  });

  it('leaves the droplet on its way to the release, also when it fails', async () => {
    for (const upMs of [1_000, 1e9]) {
      const { survey, services } = await start(upMs, () => ({ health: 'starting' }));
      expect(survey?.state).toMatchObject({ release: 'v2', phase: 'switching' });
      expect(services).toMatchObject([{ name: 'web' }]);
    }
  });
});
