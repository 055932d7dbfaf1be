import { describe, expect, it } from 'vitest';
import type { DeployPorts } from '../../../src/deploy/core/deploy-ports.js';
import type { Fleet } from '../../../src/deploy/fleet/find-fleet.js';
import { connectToAll, connectToReachable } from '../../../src/deploy/session/open-session.js';
import type { Session } from '../../../src/deploy/session/session.js';
import { ShellError } from '../../../src/errors.js';
import type { Droplet, RemoteHost } from '../../../src/ports.js';
import { CollectingReporter } from '../../support/collecting-reporter.js';
import { aDroplet } from '../../support/fake-cloud.js';
import { VirtualClock } from '../../support/virtual-clock.js';

function aSession(droplets: Droplet[], unreachable: number[] = []) {
  const reporter = new CollectingReporter();
  const interrupted = new AbortController();
  const closed: number[] = [];
  const connect = async (host: RemoteHost) => {
    if (unreachable.includes(host.id)) throw new ShellError('unreachable', 'not-applied', `${host.name} is silent.`);
    return { host, close: async () => void closed.push(host.id) };
  };
  const ports = { clock: new VirtualClock({ start: 0 }), reporter, shell: { connect } } as unknown as DeployPorts;
  const options = {
    settings: { environment: 'production', ssh: { address: 'public' } },
    interrupted: interrupted.signal,
  };
  const release = { id: '', imageTag: 'v2' };
  const session = { ports, options, command: 'deploy', release, members: [] } as unknown as Session;
  const fleet = { membership: { droplets: droplets.map((droplet) => ({ droplet })) } } as unknown as Fleet;
  const warnings = () => reporter.of('notice').map(({ message }) => message);
  return { session, fleet, warnings, interrupted, closed };
}

describe('connecting to a fleet', () => {
  it('fails when one of all droplets cannot be reached, and keeps the others to be closed', async () => {
    const { session, fleet } = aSession([aDroplet(1), aDroplet(2)], [2]);
    await expect(connectToAll(session, [fleet])).rejects.toMatchObject({
      code: 'ssh-unreachable',
      droplet: 'web-2',
      hint: expect.stringMatching(/Or leave it out: do-deploy production v2 --skip-unreachable$/),
    });
    expect(session.members.map(({ droplet }) => droplet.id)).toEqual([1]);
  });

  it('warns of droplets that are off or cannot be reached, and returns the first failure', async () => {
    const { session, fleet, warnings } = aSession([aDroplet(1), aDroplet(2), aDroplet(3, { status: 'off' })], [2]);
    expect(await connectToReachable(session, [fleet])).toMatchObject({ code: 'ssh-unreachable', droplet: 'web-2' });
    expect(warnings()).toEqual([
      'web-3 is off and stays as it is.',
      'web-2 cannot be reached and stays as it is: web-2 is silent.',
    ]);
    expect(session.members.map(({ droplet }) => droplet.id)).toEqual([1]);
  });

  it('fails when no droplet is running', async () => {
    const { session, fleet } = aSession([aDroplet(1, { status: 'off' })]);
    await expect(connectToReachable(session, [fleet])).rejects.toMatchObject({ code: 'droplet-off' });
  });

  it('closes the connections when it was interrupted meanwhile', async () => {
    const { session, fleet, interrupted, closed } = aSession([aDroplet(1), aDroplet(2)]);
    interrupted.abort();
    await expect(connectToAll(session, [fleet])).rejects.toMatchObject({ code: 'interrupted' });
    expect(closed).toEqual([1, 2]);
  });
});
