/** What every rollout's end tells. */
import { expect, it } from 'vitest';
import type { DeployPorts } from '../../src/deploy/context.js';
import { inSession, type SessionOptions } from '../../src/deploy/session.js';
import type { DeployResult } from '../../src/rollout/model.js';
import { VirtualClock } from '../support/virtual-clock.js';

async function endOf(next: string | undefined, alsoNext?: string[]): Promise<DeployResult> {
  const clock = new VirtualClock({ start: 0 });
  const ports = { clock, reporter: { report: () => {} } } as unknown as DeployPorts;
  const release = { id: 'v2', imageTag: 'v2' };
  const options = { interrupted: new AbortController().signal, ...(alsoNext && { alsoNext }) };
  return await inSession('deploy', ports, options as unknown as SessionOptions, release, async () => {
    return { outcome: 'failed', release, rows: [], durationMs: 0, summary: '', ...(next !== undefined && { next }) };
  });
}

it('the command to type next has the configuration file that this one was given', async () => {
  expect(await endOf('do-deploy heal production')).toMatchObject({ next: 'do-deploy heal production' });
  const config = ['--config', 'config/eu shop.yml'];
  expect(await endOf('do-deploy heal eu', config)).toMatchObject({
    next: "do-deploy heal eu --config 'config/eu shop.yml'",
  });
  expect(await endOf(undefined, config)).not.toHaveProperty('next');
});
