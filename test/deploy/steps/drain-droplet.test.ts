/** When the balancer counts as having let go of a droplet: by what still arrives there, or by time. */
import { describe, expect, it } from 'vitest';
import { checkWindow, EFFECT_LAG_MS, UNSHOWN_LAG_MS } from '../../../src/deploy/drain/balancer-timing.js';
import { Contacts } from '../../../src/deploy/drain/contacts.js';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { drain } from '../../../src/deploy/steps/drain-droplet.js';
import { markOut } from '../../../src/deploy/steps/mark-out.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const INTERVAL_MS = 10_000;
const WINDOW_MS = checkWindow(INTERVAL_MS, 3);
const DRAIN_TIMEOUT_MS = 30_000;

type Came = (now: number) => number;

interface World {
  clock: VirtualClock;
  member: Member;
  others: Member[];
  contacts: Contacts;
  context: StepContext;
  reporter: CollectingReporter;
}

interface Told {
  /** How many connections have arrived by a time; `effect`: nothing arrives later than this after it was asked to leave. */
  came: Came;
  effectMs?: number;
  /** The same of droplets that stay. */
  others?: Came[];
  port?: number;
  answers?: boolean;
  target?: object;
  /** The health of its container, by a time. */
  health?: (now: number) => string;
  /** What the traffic command prints. */
  prints?: (count: number) => string;
}

let leftAt = Number.POSITIVE_INFINITY;

function aWorld({ came, effectMs = 0, others = [], port = 80, answers = true, ...told }: Told): World {
  leftAt = Number.POSITIVE_INFINITY;
  const clock = new VirtualClock({ start: 0 });
  const containers = oneContainer(port);
  const { prints = (count: number) => `rule 80 ${count}\nopen 0\n`, health = () => '' } = told;
  const droplet = (id: number, arrived: Came): Member => {
    const run = async ({ name }: RemoteCommand) => {
      await clock.sleep(20);
      const state = health(clock.now());
      const inspected =
        state === '' ? containers : containers.replace('"Pid":', `"Health":{"Status":"${state}"},"Pid":`);
      return { code: 0, stderr: '', stdout: name === 'traffic' ? prints(arrived(clock.now())) : inspected };
    };
    return {
      droplet: { id, privateAddress: '10.0.0.1' },
      host: { name: `web-${id}` },
      connection: { run, checkHealth: async () => ({ passed: answers, detail: 'HTTP 200', ms: 3 }) },
      containers: parseContainers(containers).containers,
      services: [],
    } as unknown as Member;
  };
  const member = droplet(1, (now) => came(Math.min(now, leftAt + effectMs)));
  const beside = others.map((arrived, index) => droplet(index + 2, arrived));
  const healthCheck = {
    protocol: 'http',
    port: 80,
    path: '/',
    intervalSeconds: INTERVAL_MS / 1_000,
    timeoutSeconds: 5,
  };
  const target = { ports: [80], nodes: 1, overVpc: true, evenShares: true, healthCheck, ...told.target };
  const reporter = new CollectingReporter();
  const contacts = new Contacts(target as never, clock, 'shop');
  const context = {
    ports: { clock, reporter },
    settings: { app: 'shop', rollout: { drainTimeoutMs: DRAIN_TIMEOUT_MS } },
    target,
    contacts,
    ledger: { write: async () => {} },
    lease: { ensure: async () => {} },
    deployer: { who: 'ann' },
    id: 'run',
    signal: new AbortController().signal,
    progress: () => {},
    others: () => beside,
  } as unknown as StepContext;
  return { clock, member, others: beside, contacts, context, reporter };
}

/** Listened to, marked out, out, drained: how long after it was asked to leave that ended, in ms, and what drain says. */
async function drained(world: World, { listenedMs = 35_000, shownMs = 0, shown = true } = {}) {
  const { clock, member, others, contacts, context } = world;
  return await clock.run(
    (async () => {
      const beside = contacts.startListening(
        () => [],
        () => others,
      );
      const listening = contacts.startListening(
        () => [member],
        () => [],
      );
      await clock.sleep(listenedMs);
      await listening.stop();
      await markOut(member, context);
      leftAt = clock.now();
      await clock.sleep(shownMs);
      contacts.of(member).leaving = { askedAt: leftAt, at: clock.now(), shown, unsettled: false, letGo: false };
      const { detail = '' } = await drain(member, context);
      await beside.stop();
      return { ms: clock.now() - leftAt, detail, letGo: contacts.of(member).leaving?.letGo };
    })(),
  );
}

const checks: Came = (now) => Math.floor((now + 3_000) / INTERVAL_MS);
const steady: Came = (now) => Math.floor(now / 50) + checks(now);
const bursts: Came = (now) => Math.floor(now / 4_000) * 400 + Math.min(400, (now % 4_000) / 2) + checks(now);

describe('where only health checks arrive', () => {
  it('a missing one is proof', async () => {
    // One came at 27 s; the next is due at 37 s.
    const { ms, detail, letGo } = await drained(aWorld({ came: checks }), { listenedMs: 32_000 });
    expect(ms).toBeGreaterThan(5_000);
    expect(ms).toBeLessThan(8_500);
    expect([detail, letGo]).toEqual(['health checks have stopped; no connection left', true]);
  });

  it.each([32_000, 34_000, 36_000, 38_000, 40_000])(
    'one that still arrives is waited for (left after %i ms)',
    async (listenedMs) => {
      const { ms } = await drained(aWorld({ came: checks, effectMs: 14_000 }), { listenedMs });
      expect(ms).toBeGreaterThan(14_000);
    },
  );

  it('one that was due before DigitalOcean showed the leaving proves nothing', async () => {
    const { ms } = await drained(aWorld({ came: checks }), { listenedMs: 32_000, shownMs: 6_000 });
    expect(ms).toBeGreaterThan(15_000);
  });
});

describe('under load', () => {
  it.each([
    ['steadily', steady],
    ['in bursts', bursts],
  ])('a balancer that follows late and sends requests %s is waited for', async (_, came) => {
    for (const listenedMs of [20_000, 21_100, 22_200, 23_300]) {
      const { ms } = await drained(aWorld({ came, others: [came, came], effectMs: 9_000 }), { listenedMs });
      expect(ms).toBeGreaterThan(9_000);
    }
  });

  it('a missing share is proof where others go on getting theirs', async () => {
    const { ms, detail } = await drained(aWorld({ came: steady, others: [steady, steady], effectMs: 500 }));
    expect(ms).toBeLessThan(4_000);
    expect(detail).toBe('requests have stopped; no connection left');
  });

  it.each<[string, Told]>([
    ['the others pause as well', { came: steady, others: [(now) => steady(Math.min(now, leftAt + 500))] }],
    ['nobody stays', { came: steady }],
    ['the balancer keeps clients to a droplet', { came: steady, others: [steady], target: { evenShares: false } }],
    ['it is sick, and gets checks only', { came: steady, others: [steady], health: () => 'unhealthy' }],
    [
      'it falls sick meanwhile',
      { came: steady, others: [steady], health: (now) => (now > leftAt + 1_000 ? 'unhealthy' : 'healthy') },
    ],
  ])('a missing check is waited for where %s', async (_, told) => {
    const { ms, detail } = await drained(aWorld({ effectMs: 500, ...told }));
    expect(ms).toBeGreaterThan(INTERVAL_MS);
    expect(ms).toBeLessThan(500 + WINDOW_MS + 1_500);
    expect(detail).toContain('health checks have stopped');
  });

  it('each of several nodes is given the time in which it follows', async () => {
    const world = aWorld({ came: steady, others: [steady, steady], effectMs: 500, target: { nodes: 2 } });
    const { ms, detail } = await drained(world);
    expect(ms).toBeGreaterThanOrEqual(EFFECT_LAG_MS);
    expect(ms).toBeLessThan(EFFECT_LAG_MS + 1_500);
    expect(detail).toContain('requests have stopped');
  });
});

describe('time has to do', () => {
  const BY_TIME_MS = EFFECT_LAG_MS + WINDOW_MS;

  it.each<[string, Told]>([
    ['nothing was heard while it served', { came: () => 0 }],
    ['the counters cannot be read', { came: checks, prints: () => 'open 0\n' }],
    [
      'the check goes to a port without a counter',
      { came: steady, target: { healthCheck: { port: 9_000, intervalSeconds: 10 } } },
    ],
    ['all that arrives are strangers', { came: checks, prints: strangersOnly() }],
  ])('where %s', async (_, told) => {
    const { ms, detail, letGo } = await drained(aWorld(told));
    expect(ms).toBeGreaterThanOrEqual(BY_TIME_MS);
    expect(ms).toBeLessThan(BY_TIME_MS + 1_000);
    expect([detail, letGo]).toEqual([expect.stringContaining('given time to let go; no connection left'), true]);
  });

  it('where DigitalOcean never showed the leaving', async () => {
    const { ms } = await drained(aWorld({ came: checks }), { shown: false });
    expect(ms).toBeGreaterThanOrEqual(UNSHOWN_LAG_MS + WINDOW_MS);
  });

  it('and the drain timeout for open connections that cannot be read', async () => {
    const { ms } = await drained(aWorld({ came: checks, prints: () => '' }));
    expect(ms).toBeGreaterThanOrEqual(BY_TIME_MS + DRAIN_TIMEOUT_MS);
  });

  it('and not a second time', async () => {
    const world = aWorld({ came: () => 0 });
    await drained(world);
    const before = world.clock.now();
    await world.clock.run(drain(world.member, world.context));
    expect(world.clock.now() - before).toBeLessThan(100);
  });
});

/** Each connection is a stranger's. */
function strangersOnly(): (count: number) => string {
  return (count) => {
    const peers = Array.from({ length: count }, (_, index) => `stranger 0050 057100CB:${index}\n`);
    return `rule 80 ${count}\n${peers.join('')}open 0\n`;
  };
}

describe('connections that keep arriving', () => {
  it('are waited for until the drain timeout', async () => {
    const { ms, detail, letGo } = await drained(aWorld({ came: steady, effectMs: 1e9 }));
    expect(ms).toBeGreaterThan(DRAIN_TIMEOUT_MS);
    expect(ms).toBeLessThan(DRAIN_TIMEOUT_MS + WINDOW_MS + 2_000);
    expect([detail, letGo]).toEqual(['connections kept arriving; no connection left', false]);
  });
});

it('connections that outlive the drain timeout are announced before they are cut', async () => {
  const world = aWorld({ came: checks, prints: (count) => `rule 80 ${count}\nopen 2\n` });
  const { detail } = await drained(world);
  expect(detail).toContain('2 connections were still open and will be cut');
  expect(world.reporter.of('notice')).toMatchObject([
    { level: 'info', droplet: 'web-1', message: '2 connections are still open and will be cut.' },
  ]);
});

describe('a port of the balancer that no container of the app holds', () => {
  const drainOnly = async (told: Told, shown: boolean, unsettled = false) => {
    const world = aWorld(told);
    world.contacts.of(world.member).leaving = { askedAt: 0, at: 0, shown, unsettled, letGo: false };
    const { detail } = await world.clock.run(drain(world.member, world.context));
    return { detail, ms: world.clock.now() };
  };

  it('is drained by time where something else answers there and may forward what arrives', async () => {
    const { detail, ms } = await drainOnly({ came: () => 0, port: 3_000 }, true);
    expect(detail).toMatch(/^waited \d+ s/);
    expect(ms).toBeGreaterThan(EFFECT_LAG_MS + INTERVAL_MS + DRAIN_TIMEOUT_MS);
  });

  it('needs no draining where nothing answers', async () => {
    const { detail, ms } = await drainOnly({ came: () => 0, port: 3_000, answers: false }, true);
    expect([detail, ms < 1_000]).toEqual(['nothing to drain', true]);
  });

  it('is given time where nothing answers and it had just come back: the balancer may be about to take it in', async () => {
    const { ms } = await drainOnly({ came: () => 0, port: 3_000, answers: false }, true, true);
    expect(ms).toBeGreaterThan(EFFECT_LAG_MS + INTERVAL_MS);
  });

  it('is given time where nothing answers and the leaving was never shown', async () => {
    const { ms } = await drainOnly({ came: () => 0, port: 3_000, answers: false }, false);
    expect(ms).toBeGreaterThan(UNSHOWN_LAG_MS);
  });
});
