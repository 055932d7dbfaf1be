import { expect, it } from 'vitest';
import { reportNewcomers } from '../../../src/deploy/session/newcomers.js';
import type { Run } from '../../../src/deploy/steps/run.js';
import { CloudError } from '../../../src/errors.js';
import type { RolloutState } from '../../../src/rollout/rollout-state.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { aDroplet } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';

async function newcomers(droplets: object[], waiting: () => Promise<object[]> = async () => []) {
  const reporter = new CollectingReporter();
  const readMembership = async () => ({
    droplets: [1, 2, 9].map((id) => ({ droplet: aDroplet(id), rotation: 'in' })),
  });
  const run = {
    ports: { clock: new VirtualClock({ start: 0 }), reporter },
    settings: { environment: 'production' },
    target: { description: 'load balancer "web"', readMembership, waiting },
  };
  const found = await reportNewcomers(run as unknown as Run, new Set([1, 2]), { droplets } as unknown as RolloutState);
  return { found, warnings: reporter.of('notice').map(({ message }) => message) };
}

it('warns of droplets that joined the fleet or the pool', async () => {
  const { found, warnings } = await newcomers([], async () => [aDroplet(10)]);
  expect(found).toBe(true);
  expect(warnings).toEqual([
    'web-9 joined load balancer "web" and was not deployed to; run do-deploy adopt production.',
    'web-10 is not behind load balancer "web" and was not deployed to; run do-deploy adopt production.',
  ]);
});

it('counts a droplet that left before its turn and came back as new, unless it had no turn', async () => {
  const gone = { gone: true, touched: false };
  const { warnings } = await newcomers([
    { id: 1, ...gone },
    { id: 2, ...gone, exempt: true },
  ]);
  expect(warnings.map((message) => message.split(' ')[0])).toEqual(['web-1', 'web-9']);
});

it('only warns when the fleet cannot be read', async () => {
  const { found, warnings } = await newcomers([], async () => {
    throw new CloudError('timeout', 'not-applied', 'No answer within 30 s.');
  });
  expect({ found, warnings }).toEqual({
    found: false,
    warnings: ['Cannot check whether droplets joined during the rollout: No answer within 30 s.'],
  });
});
