/** When a droplet that has rejoined counts as served: by what is heard at its door. */
import { expect, it } from 'vitest';
import { TrafficWatch } from '../../../src/deploy/drain/traffic-watch.js';
import { parseContainers } from '../../../src/deploy/droplet/containers-command.js';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { StepContext } from '../../../src/deploy/steps/run.js';
import { settle } from '../../../src/deploy/steps/settle.js';
import type { RemoteCommand } from '../../../src/ports.js';
import { oneContainer } from '../../support/one-container.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const INTERVAL_SECONDS = 10;
const containers = oneContainer(80);
/** The probe at the end is counted at the door, too. */
const PROBE = 1;

it.each([
  ['one node: as soon as so many checks have come', 1, [4_000, 14_000, 24_000], 24_000],
  ['several nodes: those of the last one, which may follow as late as any', 3, [1_000, 1_500, 2_000, 11_000], 37_000],
  ['several nodes, heard late: the last one begins an interval later', 3, [9_000, 9_500, 9_900, 19_000], 39_000],
  ['somebody else in a quick row: not before the checks can have come', 1, [4_000, 4_100, 4_200], 24_000],
])('%s', async (_, nodes, arrivals, served) => {
  const clock = new VirtualClock({ start: 0 });
  let probes = 0;
  const probe = async () => {
    probes += PROBE;
    return { passed: true, detail: 'HTTP 200', status: 200, ms: 3 };
  };
  const run = async ({ name }: RemoteCommand) => {
    const came = arrivals.filter((at) => at <= clock.now()).length + probes;
    return { code: 0, stderr: '', stdout: name === 'traffic' ? `readable\nrule 80 ${came}\n` : containers };
  };
  const member = {
    droplet: { privateAddress: '10.0.0.1' },
    host: { name: 'web-1' },
    connection: { run, probe },
    containers: parseContainers(containers).containers,
    services: [{ name: 'web', image: 'web', replicas: 1, checked: false }],
    door: new TrafficWatch({ counted: 0, established: 0, peers: new Set(), strangers: new Set() }, 0),
  } as unknown as Member;
  const healthCheck = { protocol: 'http', port: 80, path: '/', timeoutSeconds: 5, healthyThreshold: 3 };
  const context = {
    ports: { clock },
    settings: { app: 'shop', rollout: { healthTimeoutMs: 60_000 } },
    target: { ports: [80], nodes, overVpc: true, healthCheck: { ...healthCheck, intervalSeconds: INTERVAL_SECONDS } },
    lease: { ensure: async () => {} },
    progress: () => {},
    others: () => [],
  } as unknown as StepContext;

  expect(await clock.run(settle(member, context))).toBeUndefined();
  // It is looked at about twelve times in an interval, and a moment is left for the answer.
  expect(clock.now()).toBeGreaterThanOrEqual(served - (INTERVAL_SECONDS * 1_000) / 12);
  expect(clock.now()).toBeLessThan(served + 2_000);
});
