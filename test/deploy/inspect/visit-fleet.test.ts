import { expect, it } from 'vitest';
import type { Settings } from '../../../src/config/settings.js';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { visitFleets } from '../../../src/deploy/inspect/visit-fleet.js';
import type { RemoteHost } from '../../../src/ports.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { aDroplet, FakeCloud } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';

const settings = {
  app: 'shop',
  environment: 'production',
  target: { kind: 'load_balancer', ref: 'web' },
  ssh: { address: 'public' },
} as unknown as Settings;

function aFleet() {
  const cloud = new FakeCloud(undefined, [aDroplet(1), aDroplet(2, { status: 'off' }), aDroplet(3)]);
  const closed: number[] = [];
  const connect = async (host: RemoteHost) => ({ host, close: async () => void closed.push(host.id) });
  const reporter = new CollectingReporter();
  const ports = { cloud, reporter, clock: new VirtualClock({ start: 0 }), shell: { connect } };
  return { ports: ports as unknown as DeployPorts, reporter, closed };
}

it('connects without reporting it, and closes the connections at the end', async () => {
  const { ports, reporter, closed } = aFleet();
  const names = await visitFleets(ports, settings, {}, async ([visit]) => visit?.members.map(({ host }) => host.name));
  expect({ names, closed }).toEqual({ names: ['web-1', 'web-2', 'web-3'], closed: [1, 2, 3] });
  expect(reporter.events).toEqual([]);
});

it('closes the connections when reading fails, and leaves out droplets that are off on request', async () => {
  const { ports, closed } = aFleet();
  const read = () => Promise.reject(new Error('cannot read'));
  await expect(visitFleets(ports, settings, { onlyRunning: true }, read)).rejects.toThrow('cannot read');
  expect(closed).toEqual([1, 3]);
});
