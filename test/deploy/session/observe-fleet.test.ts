/** Who counts as serving: only those to which the balancer may send traffic by now. */
import { describe, expect, it } from 'vitest';
import { Contacts } from '../../../src/deploy/drain/contacts.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import { observeFleet } from '../../../src/deploy/session/observe-fleet.js';
import { startRollout } from '../../../src/deploy/session/start-rollout.js';
import type { Run } from '../../../src/deploy/steps/run.js';
import { DeployError, ShellError } from '../../../src/errors.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { POLICY } from '../../rollout/walk.js';
import { VirtualClock } from '../../support/virtual-clock.js';

/** The balancer sees a droplet healthy after three checks, 10 s apart. */
const NEEDED_MS = 3 * 10_000;
const LONG_AGO = -100_000_000;
const HEALTH_TIMEOUT_MS = 60_000;

interface Told {
  passes?: () => boolean;
  /** Its connection hangs for so long, in ms, and is lost. */
  hangs?: number;
  restarts?: () => number;
  startedAt?: () => number;
  /** When the gates of its release passed. */
  verifiedAt?: number;
  inLedger?: boolean;
  /** Docker answers a look at the containers. */
  inspects?: () => boolean;
}

function aFleet(told: Told[], away: number[] = []) {
  const clock = new VirtualClock({ start: 1_000_000 });
  const probed: number[] = [];
  const members = told.map((one, index) => aMember(index + 1, one));
  const droplets = [...members.map(({ droplet }) => droplet.id), ...away].map((id, index) => ({
    droplet: { id },
    rotation: 'in',
    inLedger: told[index]?.inLedger ?? false,
  }));
  const healthCheck = {
    ...{ protocol: 'http', port: 80, path: '/', timeoutSeconds: 5 },
    ...{ intervalSeconds: 10, healthyThreshold: 3, unhealthyThreshold: 3 },
  };
  const target = { healthCheck, readMembership: async () => ({ droplets }) };
  const lost = new Set<number>();
  const lease = {
    ensure: async (id: number) => {
      if (lost.has(id)) throw new DeployError('lease-lost', `The lock on ${id} is another run's.`);
    },
  };
  const settings = { app: 'shop', rollout: { healthTimeoutMs: HEALTH_TIMEOUT_MS } };
  const contacts = new Contacts(target as never, clock, 'shop');
  const run = { ports: { clock }, settings, target, contacts, away, lease } as unknown as Run;
  const observe = async (signal?: AbortSignal) => {
    const since = clock.now();
    const seen = await clock.run(observeFleet(run, members, signal));
    return { healthy: seen.map(({ healthy }) => healthy), seen, ms: clock.now() - since };
  };
  return { clock, observe, lost, probed };

  function aMember(
    id: number,
    {
      hangs,
      passes = () => true,
      restarts = () => 0,
      startedAt = () => LONG_AGO,
      inspects = () => true,
      verifiedAt,
    }: Told,
  ): Member {
    const run = async (_: RemoteCommand) => {
      if (!inspects()) return { code: 1, stdout: '', stderr: 'Docker does not answer' };
      const container = {
        ...{ Id: `c${id}`, Image: 'sha256:1', RestartCount: restarts() },
        State: {
          ...{ Status: 'running', OOMKilled: false, ExitCode: 0, Error: '', Pid: 7 },
          StartedAt: new Date(startedAt()).toISOString(),
        },
        Config: { Image: 'web', Labels: { 'com.docker.compose.service': 'web' } },
        HostConfig: { NetworkMode: 'shop_default' },
        NetworkSettings: { Ports: {} },
      };
      const stdout = `now ${Math.floor(clock.now() / 1_000)}\n${JSON.stringify([container])}`;
      return { code: 0, stderr: '', stdout };
    };
    const probe = async () => {
      probed.push(id);
      if (hangs !== undefined) {
        await clock.sleep(hangs);
        throw new ShellError('lost', 'unknown', 'The SSH connection was lost.');
      }
      return { passed: passes(), detail: '', ms: 3 };
    };
    const member = { droplet: { id }, host: { name: `web-${id}` }, connection: { run, checkHealth: probe } };
    return {
      ...member,
      services: [],
      containers: [],
      survey: verifiedAt === undefined ? {} : { state: { phase: 'verified' }, stateWrittenAt: verifiedAt },
    } as unknown as Member;
  }
}

describe('an observation', () => {
  it("makes no check on a droplet that another run has taken: there it would pass for the balancer's", async () => {
    const { observe, lost, probed } = aFleet([{}, {}]);
    lost.add(2);
    await expect(observe()).rejects.toMatchObject({ code: 'lease-lost' });
    expect(probed).toEqual([1]);
  });

  it('takes no time where every droplet is healthy', async () => {
    expect(await aFleet([{}, {}]).observe()).toMatchObject({ healthy: [true, true], ms: 0 });
  });

  it('waits for the balancer to see a droplet healthy that failed the last check', async () => {
    let sick = true;
    const { clock, observe } = aFleet([{}, { passes: () => !sick }]);
    expect((await observe()).healthy).toEqual([true, false]);
    sick = false;
    await clock.advance(1_000);
    const second = await observe();
    expect(second.healthy).toEqual([true, true]);
    expect(second.ms).toBeGreaterThan(NEEDED_MS);
    expect((await observe()).ms, 'it is waited for once').toBe(0);
  });

  it('waits for the balancer to see a droplet healthy whose container has just started', async () => {
    const { seen, ms } = await aFleet([{}, { startedAt: () => 1_000_000 - 12_000 }]).observe();
    expect(seen).toMatchObject([{ healthy: true }, { healthy: true }]);
    expect(ms).toBeGreaterThan(NEEDED_MS);
  });

  it('waits for one whose container has been starting for as long as apps may take, unless its gates passed since', async () => {
    const startedAt = () => 1_000_000 - NEEDED_MS - HEALTH_TIMEOUT_MS + 5_000;
    const unverified = await aFleet([{}, { startedAt }, { startedAt, verifiedAt: startedAt() - 1_000 }]).observe();
    expect(unverified.healthy).toEqual([true, true, true]);
    expect(unverified.ms).toBeGreaterThan(NEEDED_MS);
    expect(await aFleet([{}, { startedAt, verifiedAt: startedAt() + 1_000 }]).observe()).toMatchObject({ ms: 0 });
    expect(await aFleet([{}, { startedAt: () => startedAt() - 30_000 }]).observe()).toMatchObject({ ms: 0 });
  });

  it('waits for a droplet whose containers could not be inspected: it may have restarted', async () => {
    let asked = 0;
    const { seen, ms } = await aFleet([{}, { inspects: () => ++asked > 1 }]).observe();
    expect(seen).toMatchObject([{ healthy: true }, { healthy: true }]);
    expect(ms).toBeGreaterThan(NEEDED_MS);
  });

  it('does not count a droplet whose containers can never be inspected', async () => {
    const { seen } = await aFleet([{}, { inspects: () => false }]).observe();
    expect(seen[1], 'it may serve nevertheless').toMatchObject({ healthy: false, unasked: true });
  });

  it('is repeated for a droplet that was sick when it began, where another took long to answer', async () => {
    let sick = true;
    const { clock, observe, probed } = aFleet([{ passes: () => !sick }, { hangs: 20_000 }]);
    void clock.sleep(10_000).then(() => {
      sick = false;
    });
    const { seen } = await observe();
    expect(seen).toMatchObject([{ healthy: true }, { healthy: false, unasked: true }]);
    expect(
      probed.filter((id) => id === 2),
      'one that does not answer is asked once',
    ).toHaveLength(1);
  });

  it('waits again for a droplet that restarts meanwhile, and does not count one that keeps restarting', async () => {
    const every = 25_000;
    let clock: VirtualClock | undefined;
    const round = () => Math.floor((clock?.now() ?? 0) / every);
    const first = 1_000_000 / every;
    const startedAt = () => (round() > first ? round() * every : LONG_AGO);
    const world = aFleet([{}, { restarts: () => Math.max(0, round() - first), startedAt }]);
    clock = world.clock;
    expect((await world.observe()).healthy).toEqual([true, true]);
    await clock.advance(every);
    const { seen, ms } = await world.observe();
    expect(seen[1], 'it may serve nevertheless').toMatchObject({ healthy: false, unasked: true });
    expect(ms).toBeLessThan(5 * NEEDED_MS);
  });

  it('includes droplets that the run has no connection to: they serve nothing', async () => {
    const { seen } = await aFleet([{}], [7]).observe();
    expect(seen[1]).toMatchObject({ id: 7, rotation: 'in', healthy: false, away: true, gone: false });
    const { droplets } = startRollout(seen, { ...POLICY, batch: [1] }, new Set(), new Map());
    expect(droplets.map(({ course }) => course)).toEqual(['waiting', 'done']);
  });

  it('stops waiting after an interruption, and then counts no droplet that it waited for', async () => {
    const interrupted = new AbortController();
    const { clock, observe } = aFleet([{}, { inLedger: true }]);
    void clock.sleep(2_000).then(() => interrupted.abort());
    expect(await observe(interrupted.signal)).toMatchObject({ healthy: [true, false], ms: 2_000 });
  });
});
