/** When a droplet that has left counts as let go of: by what still comes to its door. */
import { describe, expect, it } from 'vitest';
import { listenAhead } from '../../../src/deploy/drain/watch-traffic.js';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { drain } from '../../../src/deploy/steps/drain-droplet.js';
import { markOut } from '../../../src/deploy/steps/mark-out.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const INTERVAL_MS = 10_000;
const DRAIN_TIMEOUT_MS = 30_000;

/** A droplet whose door is at `port`, and what has come there by now. */
function droplet(
  port: number,
  arrivals: (now: number) => number,
  answers = true,
  clock = new VirtualClock({ start: 0 }),
) {
  const containers = oneContainer(port);
  const run = async ({ name }: RemoteCommand) => {
    await clock.sleep(20);
    const door = `readable\nrule ${port} ${arrivals(clock.now())}\n`;
    return { code: 0, stderr: '', stdout: name === 'traffic' ? door : containers };
  };
  const probe = async () => ({ passed: answers, detail: 'HTTP 200', ms: 3 });
  const member = {
    droplet: { id: 1, privateAddress: '10.0.0.1' },
    host: { name: 'web-1' },
    connection: { run, probe },
    containers: parseContainers(containers).containers,
    services: [],
  } as unknown as Member;
  const healthCheck = {
    protocol: 'http',
    port: 80,
    path: '/',
    intervalSeconds: INTERVAL_MS / 1_000,
    timeoutSeconds: 5,
  };
  const context = {
    ports: { clock },
    settings: { app: 'shop', rollout: { drainTimeoutMs: DRAIN_TIMEOUT_MS } },
    target: { ports: [80], nodes: 1, overVpc: true, healthCheck },
    ledger: { write: async () => {} },
    lease: { ensure: async () => {} },
    deployer: { who: 'somebody' },
    id: 'run',
    signal: new AbortController().signal,
    progress: () => {},
    others: () => [],
  } as unknown as StepContext;
  return { clock, member, context };
}

/** When the droplet of a test left, or has not yet. */
let leftAt = Number.POSITIVE_INFINITY;
const untilAfterLeaving = (ms: number, came: (now: number) => number) => (now: number) =>
  came(Math.min(now, leftAt + ms));

/**
 * Listened to for a while, recorded, out, drained. Gives how long after leaving that was, in ms.
 * @param others that stay, and are listened to all the time
 */
async function drained(
  { clock, member, context }: ReturnType<typeof droplet>,
  leavesAfter: number,
  others: Member[] = [],
): Promise<number> {
  leftAt = Number.POSITIVE_INFINITY;
  return await clock.run(
    (async () => {
      const until = new AbortController();
      const end = new AbortController();
      const beside = listenAhead(() => others, context, end.signal);
      const listening = listenAhead(() => [member], context, until.signal);
      await clock.sleep(leavesAfter);
      until.abort();
      await listening;
      await markOut(member, context);
      leftAt = clock.now();
      member.leaving = { how: 'shown', at: leftAt };
      await drain(member, context);
      end.abort();
      await beside;
      return clock.now() - leftAt;
    })(),
  );
}

/** A droplet beside another one, on the same clock: what comes to each by a time. */
function besideAnother(own: (now: number) => number, other: (now: number) => number, sticky = false) {
  const one = droplet(80, own);
  const { run } = droplet(80, other, true, one.clock).member.connection;
  const beside = { ...one.member, host: { name: 'web-2' }, connection: { run } } as unknown as Member;
  const context = { ...one.context, others: () => [beside], target: { ...one.context.target, sticky } } as StepContext;
  return { ...one, context, others: [beside] };
}

describe('a balancer that follows late', () => {
  it.each([
    ['steadily', (ms: number) => Math.floor(ms / 50)],
    ['in bursts', (ms: number) => Math.floor(ms / 2_700) * 100 + Math.min(100, Math.floor((ms % 2_700) / 10))],
    ['in rare bursts', (ms: number) => Math.floor(ms / 4_000) * 400 + Math.min(400, (ms % 4_000) / 2)],
  ])('and sends requests %s is waited for', async (_, came) => {
    for (const leavesAfter of [8_000, 8_700, 9_400, 10_100, 10_800, 11_500]) {
      const effect = leavesAfter + 6_000;
      const end = await drained(
        droplet(80, (now) => came(Math.min(now, effect))),
        leavesAfter,
      );
      expect(end).toBeGreaterThan(5_500);
    }
  });

  it('is not waited for longer than a second of silence under steady load', async () => {
    const end = await drained(
      droplet(80, (now) => Math.floor(Math.min(now, 10_500) / 20)),
      10_000,
    );
    expect(end).toBeLessThan(2_500);
  });
});

describe('a balancer of several nodes', () => {
  it.each([INTERVAL_MS, 2_000])('is given the time in which each follows (checks every %i ms)', async (intervalMs) => {
    const one = droplet(
      80,
      untilAfterLeaving(500, (now) => Math.floor(now / 20)),
    );
    const healthCheck = { ...one.context.target.healthCheck, intervalSeconds: intervalMs / 1_000 };
    const context = { ...one.context, target: { ...one.context.target, nodes: 2, healthCheck } } as StepContext;
    const end = await drained({ ...one, context }, 10_000);
    expect(end).toBeGreaterThanOrEqual(5_000);
    expect(end).toBeLessThan(5_800);
  });
});

describe('a droplet that was listened to for two seconds only', () => {
  const steady = (now: number) => Math.floor(now / 50);
  const soon = untilAfterLeaving(500, steady);

  it('is let go of when others go on getting their part', async () => {
    const { others, ...one } = besideAnother(soon, steady);
    expect(await drained(one, 2_000, others)).toBeLessThan(4_000);
  });

  it('is waited for until the checks have stopped where nothing tells a pause of all from that', async () => {
    const pausing = besideAnother(soon, soon);
    expect(await drained(pausing, 2_000, pausing.others)).toBeGreaterThan(INTERVAL_MS);
    // In rotation it would have been listened to for longer first.
    const sticky = besideAnother(soon, steady, true);
    expect(await drained(sticky, 2_000, sticky.others)).toBeLessThan(4_000);
    expect(leftAt).toBeGreaterThan(9_000);
  });

  it.each([2_000, 2_400, 2_800, 3_200, 3_600, 4_000, 4_400])(
    'gets its bursts when the others get theirs, and is waited for (left after %i ms)',
    async (leavesAfter) => {
      const bursts = (now: number) => Math.floor(now / 4_000) * 400 + Math.min(400, (now % 4_000) / 2);
      const { others, ...one } = besideAnother(untilAfterLeaving(9_000, bursts), bursts);
      expect(await drained(one, leavesAfter, others)).toBeGreaterThan(9_000);
    },
  );
});

describe('a port of the balancer that no container of the app holds', () => {
  it('is drained by time where something else answers there, and may send on what comes', async () => {
    const { clock, member, context } = droplet(3000, () => 0);
    member.leaving = { how: 'shown', at: 0 };
    expect(await clock.run(drain(member, context))).toMatch(/^waited \d+ s/);
    expect(clock.now()).toBeGreaterThan(INTERVAL_MS + DRAIN_TIMEOUT_MS);
  });

  it('needs no draining where nothing answers', async () => {
    const { clock, member, context } = droplet(3000, () => 0, false);
    member.leaving = { how: 'shown', at: 0 };
    expect(await clock.run(drain(member, context))).toBe('nothing to drain');
    expect(clock.now()).toBeLessThan(1_000);
  });
});
