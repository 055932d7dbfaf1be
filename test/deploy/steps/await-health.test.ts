/** When a droplet's containers are healthy enough to rejoin. */
import { describe, expect, it } from 'vitest';
import { Contacts } from '../../../src/deploy/drain/contacts.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { awaitHealth } from '../../../src/deploy/steps/await-health.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import type { HealthRequest, RemoteCommand } from '../../../src/ports.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

/** When the container started, by the droplet's clock. */
const STARTED_MS = 1_000_000;

interface Story {
  /** From when on after its start it answers the balancer's check, in ms. */
  answersMs?: number;
  restarts?: number;
  /** Where the balancer checks, and where the container is published. */
  checkPort?: number;
  published?: number;
  balanced?: boolean;
  /** Of the balancer's checks, of which it needs two. */
  intervalSeconds?: number;
  health?: string;
  /** `rollout.health.http`, asked every 2 s: from when on it passes, in ms. */
  appAnswersMs?: number;
  /** It crashes again and again, every so many ms. */
  crashesMs?: number;
}

/** How long the wait takes, in ms. */
async function waited(story: Story): Promise<number> {
  const { answersMs = 500, restarts = 0, checkPort = 80, published = 80, balanced = true, health, crashesMs } = story;
  const { intervalSeconds = 10, appAnswersMs } = story;
  const clock = new VirtualClock({ start: STARTED_MS });
  const inspected = () => {
    const age = clock.now() - STARTED_MS;
    const crashes = crashesMs === undefined ? 0 : Math.floor(age / crashesMs);
    const started = new Date(STARTED_MS + crashes * (crashesMs ?? 0)).toISOString();
    return oneContainer(published)
      .replace('now 1000', `now ${Math.floor(clock.now() / 1_000)}`)
      .replace('1970-01-01T00:00:00Z', started)
      .replace('"RestartCount":0', `"RestartCount":${restarts + crashes}`)
      .replace('"Pid":', `${health === undefined ? '' : `"Health":{"Status":"${health}"},`}"Pid":`);
  };
  const member = {
    droplet: { id: 1, privateAddress: '10.0.0.1' },
    host: { name: 'web-1' },
    connection: {
      run: async (_: RemoteCommand) => ({ code: 0, stderr: '', stdout: inspected() }),
      checkHealth: async ({ address }: HealthRequest) => {
        const from = address === '127.0.0.1' ? (appAnswersMs ?? 0) : answersMs;
        return { passed: clock.now() - STARTED_MS >= from, detail: 'HTTP 503', ms: 3 };
      },
    },
    containers: [],
    services: [{ name: 'web', image: 'web', replicas: 1, stays: true, oneShot: false }],
  } as unknown as Member;
  const healthCheck = {
    protocol: 'http',
    port: checkPort,
    path: '/',
    intervalSeconds,
    timeoutSeconds: 5,
    healthyThreshold: 2,
  };
  const target = { ports: [80], nodes: 1, overVpc: true, healthCheck: balanced ? healthCheck : undefined };
  const http = { port: 8080, path: '/healthz', intervalMs: 2_000, timeoutMs: 5_000 };
  const healthHttp = appAnswersMs === undefined ? undefined : http;
  const context = {
    ports: { clock },
    settings: { app: 'shop', rollout: { healthTimeoutMs: 60_000, healthHttp } },
    release: {},
    target,
    contacts: new Contacts(target as never, clock, 'shop'),
    lease: { ensure: async () => {} },
    progress: () => {},
  } as unknown as StepContext;
  await clock.run(awaitHealth(member, context));
  return clock.now() - STARTED_MS;
}

describe('a container without a healthcheck', () => {
  it("has waited for long enough when it answers the balancer's check", async () => {
    expect(await waited({})).toBe(600);
  });

  it('has run for 3 s before the balancer can send traffic', async () => {
    expect(await waited({ intervalSeconds: 3 })).toBe(600);
    expect(await waited({ intervalSeconds: 2 })).toBeGreaterThanOrEqual(1_000);
    expect(await waited({ intervalSeconds: 2 })).toBeLessThan(1_500);
  });

  it.each<[string, Story]>([
    ['answers late', { answersMs: 20_000 }],
    ['is not the one that the balancer checks', { checkPort: 9_000 }],
    ['was restarted by Docker', { restarts: 1 }],
    ['stands behind no balancer', { balanced: false }],
  ])('has to run for 3 s where it %s', async (_, story) => {
    expect(await waited(story)).toBe(3_000);
  });

  it('that crashes again and again before it answers is not waited for', async () => {
    await expect(waited({ answersMs: 60_000, crashesMs: 700 })).rejects.toMatchObject({
      code: 'unhealthy',
      message: 'Service web keeps restarting: 3 times.',
    });
  });
});

it('a healthcheck that has not passed counts for more than an answer', async () => {
  await expect(waited({ health: 'starting' })).rejects.toMatchObject({ code: 'health-timeout' });
});

describe('the app', () => {
  it.each([true, false])(
    'is asked after its containers are healthy, until it answers (behind a balancer: %s)',
    async (balanced) => {
      expect(await waited({ balanced, health: 'healthy', appAnswersMs: 0 })).toBe(0);
      expect(await waited({ balanced, health: 'healthy', appAnswersMs: 3_000 })).toBe(4_000);
    },
  );

  it('fails the release if it does not answer within the time for its health', async () => {
    await expect(waited({ balanced: false, health: 'healthy', appAnswersMs: 90_000 })).rejects.toMatchObject({
      code: 'app-check-failed',
      message: 'The app on web-1 fails its check (http port 8080 /healthz): HTTP 503.',
    });
  });
});
