import { expect, it } from 'vitest';
import type { Session } from '../../../src/deploy/session/session.js';
import { refuseOff, skippedRows, withSkipped } from '../../../src/deploy/session/skipping.js';
import { DeployError } from '../../../src/errors.js';
import type { DeployResult } from '../../../src/rollout/model.js';
import { aDroplet } from '../../support/fake-cloud.js';

const away = { droplet: aDroplet(3), error: new DeployError('ssh-unreachable', 'web-3 refused the connection.') };
const row = { id: 3, name: 'web-3', address: '', rotation: 'in', release: '', health: '', outcome: 'not deployed' };

function aSession(skip: 'fail' | 'ok' | undefined): Session {
  const options = { skip, settings: { environment: 'production', target: { kind: 'load_balancer' } } };
  const release = { id: 'r2', imageTag: 'v2' };
  return { command: 'deploy', options, release, skipped: [away], rows: [row] } as unknown as Session;
}

const result = { outcome: 'succeeded', rows: [], summary: '', durationMs: 0 } as unknown as DeployResult;

it('skipped droplets make a deploy fail, unless the user has said that this is fine', () => {
  expect(withSkipped(aSession('fail'), result)).toMatchObject({
    outcome: 'failed',
    error: { code: 'droplets-skipped', message: 'web-3 was skipped: web-3 refused the connection.' },
    next: 'do-deploy adopt production',
  });
  expect(withSkipped(aSession('ok'), result)).toMatchObject({
    outcome: 'succeeded',
    next: 'do-deploy adopt production',
  });
  expect(withSkipped(aSession(undefined), result)).toBe(result);
  expect(skippedRows(aSession('ok'))).toMatchObject([
    { name: 'web-3', outcome: 'skipped', health: 'unknown', detail: 'web-3 refused the connection.' },
  ]);
});

it('a droplet that is off is refused with the commands that power it on and that leave it out', () => {
  const off = { ...aDroplet(3), status: 'off' as const };
  expect(() => refuseOff(aSession(undefined), [off])).toThrow(
    expect.objectContaining({
      code: 'droplet-off',
      hint: 'Power them on (doctl compute droplet-action power-on 3), or remove them from the load balancer. Or leave it out: do-deploy production v2 --skip-unreachable',
    }),
  );
  expect(() => refuseOff(aSession('fail'), [off])).not.toThrow();
});
