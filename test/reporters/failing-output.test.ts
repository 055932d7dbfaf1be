import { expect, it } from 'vitest';
import { FakePipe } from '../support/fake-terminal.js';
import { reporterOn } from '../support/reporter-on.js';
import { scriptedRollout } from '../support/scripted-events.js';

it('output that fails does not stop the rollout', async () => {
  const stdout = new FakePipe();
  stdout.write = () => {
    throw new Error('broken');
  };
  const { reporter } = reporterOn({ stdout });
  for (const event of scriptedRollout(2)) reporter.report(event);
  await expect(reporter.close()).resolves.toBeUndefined();
});
