import { expect, it } from 'vitest';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import { reportStep } from '../../../src/deploy/core/report.js';
import { NO_RELEASE_YET, runSession, type SessionOptions } from '../../../src/deploy/session/session.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { VirtualClock } from '../../support/virtual-clock.js';

it('an interruption before rolling ends the run at once, and the steps that it leaves are not reported as failures', async () => {
  const clock = new VirtualClock();
  const reporter = new CollectingReporter();
  const ports = { clock, reporter } as unknown as DeployPorts;
  const interrupted = new AbortController();
  const options = { settings: { environment: 'production' }, interrupted: interrupted.signal } as SessionOptions;
  let endPull: (error: Error) => void = () => {};
  const running = runSession('deploy', ports, options, NO_RELEASE_YET, async (_, gated) => {
    await reportStep(gated, { droplet: 'web-1', step: 'pull' }, () => {
      return new Promise((_, reject) => {
        endPull = reject;
      });
    });
    throw new Error('not reached');
  });
  interrupted.abort();
  expect(await running).toMatchObject({ outcome: 'interrupted', summary: 'Nothing was changed in rotation.' });
  endPull(new Error('the connection was closed'));
  await clock.advance(1_000);
  expect(reporter.events.map(({ type }) => type)).toEqual(['step-started', 'rollout-finished']);
});
