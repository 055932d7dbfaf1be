/** When a droplet that has rejoined counts as served: by the checks that arrive, or by time. */
import { describe, expect, it } from 'vitest';
import { checkWindow, EFFECT_LAG_MS, UNSHOWN_LAG_MS } from '../../../src/deploy/drain/balancer-timing.js';
import { Contacts } from '../../../src/deploy/drain/contacts.js';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import { settle } from '../../../src/deploy/steps/settle.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const INTERVAL_MS = 10_000;
const WINDOW_MS = checkWindow(INTERVAL_MS, 0);
const containers = oneContainer(80);

interface Story {
  nodes?: number;
  /** When connections arrive. */
  arrivals: number[];
  letGo?: boolean;
  shown?: boolean;
  heard?: boolean;
  /** The counters can be read. */
  counters?: boolean;
}

/** How long settling takes, and what it says. */
async function settled({ nodes = 1, arrivals, letGo = true, shown = true, heard = true, counters = true }: Story) {
  const clock = new VirtualClock({ start: 0 });
  let ownChecks = 0;
  const probe = async () => {
    // Made at the end; the counters see it as well.
    ownChecks += 1;
    return { passed: true, detail: 'HTTP 200', status: 200, ms: 3 };
  };
  const run = async ({ name }: RemoteCommand) => {
    const came = arrivals.filter((at) => at <= clock.now()).length + ownChecks;
    const traffic = `${counters ? `rule 80 ${came}\n` : ''}open 0\n`;
    return { code: 0, stderr: '', stdout: name === 'traffic' ? traffic : containers };
  };
  const member = {
    droplet: { id: 1, privateAddress: '10.0.0.1' },
    host: { name: 'web-1' },
    connection: { run, checkHealth: probe },
    containers: parseContainers(containers).containers,
    services: [{ name: 'web', image: 'web', replicas: 1, checked: false }],
  } as unknown as Member;
  const healthCheck = { protocol: 'http', port: 80, path: '/', timeoutSeconds: 5, healthyThreshold: 3 };
  const target = {
    description: 'load balancer "web"',
    ports: [80],
    nodes,
    overVpc: true,
    healthCheck: { ...healthCheck, intervalSeconds: INTERVAL_MS / 1_000 },
  };
  const contacts = new Contacts(target as never, clock, 'shop');
  await contacts.listen(member);
  Object.assign(contacts.of(member), { heard, leaving: { askedAt: 0, at: 0, shown, letGo } });
  const context = {
    ports: { clock },
    settings: { app: 'shop', rollout: { healthTimeoutMs: 60_000 } },
    target,
    contacts,
    lease: { ensure: async () => {} },
    progress: () => {},
    others: () => [],
  } as unknown as StepContext;
  const { detail } = await clock.run(settle(member, context));
  return { ms: clock.now(), detail, contact: contacts.of(member) };
}

/** Polls are up to a twelfth of an interval apart, and a moment is left for the answer. */
function expectAbout(ms: number, served: number): void {
  expect(ms).toBeGreaterThanOrEqual(served - INTERVAL_MS / 12);
  expect(ms).toBeLessThan(served + 3_500);
}

describe('a droplet that has rejoined', () => {
  it('is served as soon as as many checks have arrived as the balancer wants', async () => {
    const { ms, contact } = await settled({ arrivals: [4_000, 14_000, 24_000] });
    expectAbout(ms, 24_000);
    expect(contact).toMatchObject({ leaving: undefined, servesFrom: ms });
  });

  it('is not served before the checks can have come, whoever else connects in quick succession', async () => {
    expectAbout((await settled({ arrivals: [4_000, 4_100, 4_200] })).ms, 24_000);
  });

  it.each([
    ['there are several nodes, which cannot be told apart', { nodes: 3 }],
    ['the balancer may not have let go before: then its checks may be those of before', { letGo: false }],
  ])('is given the time for the last check where %s', async (_, story) => {
    const { ms } = await settled({ arrivals: [1_000, 11_000, 21_000], ...story });
    expectAbout(ms, EFFECT_LAG_MS + 3 * WINDOW_MS);
  });

  it('is given longer after a leaving that DigitalOcean never showed', async () => {
    const { ms } = await settled({ arrivals: [1_000, 11_000, 21_000], letGo: false, shown: false });
    expectAbout(ms, UNSHOWN_LAG_MS + 3 * WINDOW_MS);
  });

  it('is waited for as long as a balancer that was heard before takes', async () => {
    expectAbout((await settled({ arrivals: [44_000, 54_000, 64_000] })).ms, 64_000);
  });

  it('is called unserved when a balancer that was heard before does not come back', async () => {
    await expect(settled({ arrivals: [] })).rejects.toMatchObject({ code: 'balancer-silent' });
  });

  it.each([
    ['was not heard before', { heard: false }],
    ['cannot be heard now', { counters: false }],
  ])('is served by time where the balancer %s', async (_, story) => {
    const { ms, detail } = await settled({ arrivals: [], ...story });
    expectAbout(ms, EFFECT_LAG_MS + 3 * WINDOW_MS);
    expect(detail).toContain('given time');
  });
});
