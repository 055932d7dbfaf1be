/** When a droplet that has got the release counts as sick. */
import { describe, expect, it } from 'vitest';
import { Contacts } from '../../../src/deploy/drain/contacts.js';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { DropletWatch } from '../../../src/deploy/session/watch-droplets.js';
import type { Run } from '../../../src/deploy/steps/run.js';
import { DeployError, ShellError } from '../../../src/errors.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const containers = oneContainer(80);
const MINUTE = 60_000;

interface Story {
  forMs?: number;
  /** The balancer's check at that time, in ms. */
  check?: (at: number) => { passed: boolean; detail: string };
  /** What `docker` answers at that time. */
  docker?: (at: number) => string;
  /** The connection at that time. */
  reach?: (at: number) => boolean;
  ensure?: (at: number) => void;
  stopAtMs?: number;
  leaveAtMs?: number;
}

const PASSES = { passed: true, detail: 'HTTP 200' };
const FAILS = { passed: false, detail: 'HTTP 503' };

async function watched(story: Story) {
  const { forMs = MINUTE, check = () => PASSES, docker = () => containers, reach = () => true } = story;
  const clock = new VirtualClock({ start: 0 });
  const reached = async <T>(answer: () => T) => {
    if (!reach(clock.now())) throw new ShellError('lost', 'unknown', 'the connection was lost');
    return answer();
  };
  const member = {
    droplet: { id: 1, privateAddress: '10.0.0.1' },
    host: { name: 'web-1' },
    connection: {
      run: () => reached(() => ({ code: 0, stderr: '', stdout: docker(clock.now()) })),
      checkHealth: () => reached(() => ({ ...check(clock.now()), status: 200, ms: 3 })),
    },
    containers: parseContainers(containers).containers,
    services: [{ name: 'web', image: 'web', replicas: 1, checked: false }],
    survey: {},
  } as unknown as Member;
  const healthCheck = { protocol: 'http', port: 80, path: '/', timeoutSeconds: 5, intervalSeconds: 10 };
  const target = {
    ports: [80],
    nodes: 1,
    healthCheck: { ...healthCheck, healthyThreshold: 3, unhealthyThreshold: 3 },
  };
  const run = {
    ports: { clock },
    settings: { app: 'shop', rollout: { healthTimeoutMs: 30_000 } },
    target,
    contacts: new Contacts(target as never, clock, 'shop'),
    lease: { ensure: async () => story.ensure?.(clock.now()) },
  } as unknown as Run;
  const [stop, leave] = [new AbortController(), new AbortController()];
  if (story.stopAtMs !== undefined) void clock.sleep(story.stopAtMs).then(() => stop.abort());
  if (story.leaveAtMs !== undefined) void clock.sleep(story.leaveAtMs).then(() => leave.abort());
  const sick = await clock.run(new DropletWatch(run).watch([member], forMs, stop.signal, leave.signal));
  return { code: sick?.error.code, message: sick?.error.message, ms: clock.now() };
}

it('a droplet that stays well is watched for the whole time, and no longer', async () => {
  expect(await watched({})).toEqual({ code: undefined, message: undefined, ms: MINUTE });
});

describe('the balancer’s check', () => {
  it('that fails at two looks in a row makes it sick', async () => {
    const { code, ms } = await watched({ check: (at) => (at < 20_000 ? PASSES : FAILS) });
    expect(code).toBe('balancer-check-failed');
    expect(ms).toBeLessThan(30_000);
  });

  it('that fails for a moment does not', async () => {
    const { code } = await watched({ check: (at) => (at % 20_000 < 4_000 ? FAILS : PASSES) });
    expect(code).toBeUndefined();
  });

  it('that fails at the last look is made once more', async () => {
    const sick = await watched({ check: (at) => (at < MINUTE ? PASSES : FAILS) });
    expect(sick).toMatchObject({ code: 'balancer-check-failed' });
    const well = await watched({ check: (at) => (at >= MINUTE && at < MINUTE + 3_000 ? FAILS : PASSES) });
    expect(well.code).toBeUndefined();
    expect(well.ms).toBeGreaterThan(MINUTE);
  });
});

describe('its containers', () => {
  const restarted = containers.replace('"RestartCount":0', '"RestartCount":1');

  it('make it sick when one has restarted or failed', async () => {
    expect(restarted).not.toBe(containers);
    const { code, message, ms } = await watched({ docker: (at) => (at < 10_000 ? containers : restarted) });
    expect({ code, message, ms }).toEqual({
      code: 'unhealthy',
      message: 'web restarted after it had been healthy.',
      ms: 10_000,
    });
  });
});

it('a droplet that cannot be reached is not sick', async () => {
  expect(await watched({ reach: (at) => at < 10_000 })).toMatchObject({ code: undefined });
});

it('a lost lock ends the watch with its error', async () => {
  const lost = new DeployError('lease-lost', 'The lock was lost.');
  const ensure = (at: number) => {
    if (at > 10_000) throw lost;
  };
  await expect(watched({ ensure })).rejects.toBe(lost);
});

describe('it ends early', () => {
  it('when it is stopped, after the look under way', async () => {
    expect(await watched({ stopAtMs: 12_000 })).toMatchObject({ code: undefined, ms: 12_000 });
  });

  it('at once when the run is about to end', async () => {
    const hangs = { docker: () => containers, check: () => FAILS };
    expect(await watched({ ...hangs, leaveAtMs: 300 })).toMatchObject({ code: undefined, ms: 300 });
  });
});
