/** A droplet or the connection to it fails during a deploy under load: SSH, Docker, registry, disk. */
import { describe, it } from 'vitest';
import type { DropletFaults } from '../../src/sandbox/droplets/faults.js';
import { someOf } from '../support/some-of.js';
import { deployThrough, type FaultCase, titleOf } from './fault-case.js';
import { fleetPool } from './fleet-pool.js';

/** A lasting fault of a droplet; `reset` also resets its open connections. */
function on(name: string, faults: Partial<DropletFaults>, reset?: 'reset'): FaultCase['make'] {
  return async ({ region }) => {
    const droplet = region.droplet(name);
    await droplet.setFaults(faults);
    if (reset) droplet.resetConnections();
  };
}

/** Is silent until the keepalives time out, then answers again. */
function silentFor(name: string, seconds: number): FaultCase['make'] {
  return async ({ region }) => {
    const droplet = region.droplet(name);
    await droplet.setFaults({ ssh: 'black-hole' });
    setTimeout(() => void droplet.setFaults({ ssh: 'up' }), seconds * 1_000);
  };
}

const RESET_AT = [
  'check',
  'upload',
  'pull',
  'mark-out',
  'leave',
  'drain',
  'switch',
  'health',
  'balancer-check',
  'rejoin',
  'settle',
  'clear',
];

const LOST: FaultCase[] = [
  ...RESET_AT.map(
    (step): FaultCase => ({
      fault: `the connection is reset at ${step}`,
      at: { step, droplet: 'web-1' },
      make: on('web-1', {}, 'reset'),
    }),
  ),
  {
    fault: 'the connection is reset at the switch, with its command',
    at: { step: 'switch', droplet: 'web-2' },
    make: on('web-2', { hangUpOnDisconnect: true }, 'reset'),
  },
  {
    fault: 'a droplet falls silent for 3 s',
    at: { step: 'settle', droplet: 'web-1' },
    make: silentFor('web-1', 3),
  },
  {
    fault: 'a droplet falls silent for 25 s',
    at: { step: 'drain', droplet: 'web-2' },
    make: silentFor('web-2', 25),
  },
  { fault: 'the connection to a droplet is slow', make: on('web-1', { sshLatencyMs: 150 }) },
  { fault: 'a droplet is slow to start commands', make: on('web-2', { execDelayMs: 400 }) },
  {
    fault: 'a droplet refuses connections from the beginning',
    make: on('web-2', { ssh: 'refuse' }),
    fails: { code: 'ssh-unreachable', says: /web-2/, untouched: true },
  },
  {
    fault: 'a droplet is silent from the beginning',
    make: on('web-2', { ssh: 'black-hole' }),
    fails: { code: 'ssh-unreachable', says: /web-2/, untouched: true },
  },
  {
    fault: 'a droplet accepts no key',
    make: on('web-2', { authRefused: true }),
    fails: { code: 'ssh-auth', says: /web-2/, untouched: true },
  },
  {
    fault: 'a droplet presents another host key',
    make: on('web-1', { hostKeyChanged: true }),
    fails: { code: 'ssh-host-key', says: /web-1/, untouched: true },
  },
  {
    fault: 'a droplet is lost while it is out',
    at: { step: 'health', droplet: 'web-1' },
    make: on('web-1', { ssh: 'refuse' }, 'reset'),
    fails: { code: 'ssh-lost', says: /web-1/ },
  },
  {
    fault: 'a droplet returns with another host key',
    at: { step: 'health', droplet: 'web-2' },
    make: on('web-2', { hostKeyChanged: true }, 'reset'),
    fails: { code: 'ssh-host-key', says: /web-2/ },
  },
  {
    fault: 'a waiting droplet is lost',
    at: { step: 'clear', droplet: 'web-1' },
    make: on('web-2', { ssh: 'refuse' }, 'reset'),
    fails: { code: 'ssh-unreachable', says: /web-2/ },
  },
];

const SICK: FaultCase[] = [
  {
    fault: 'Docker is down on a droplet from the beginning',
    make: on('web-2', { daemonDown: true }),
    fails: { code: 'docker-missing', says: /web-2.*Docker daemon/, untouched: true },
  },
  {
    fault: 'Docker goes down while a droplet is out',
    at: { step: 'drain', droplet: 'web-1' },
    make: on('web-1', { daemonDown: true }),
    fails: { code: 'docker-missing', says: /web-1.*Docker daemon/ },
  },
  {
    fault: 'the registry lacks the image',
    make: on('web-2', { pull: 'missing' }),
    fails: { code: 'pull-failed', says: /web-2/, untouched: true },
  },
  {
    fault: 'the registry refuses the image',
    make: on('web-1', { pull: 'denied' }),
    fails: { code: 'pull-failed', says: /web-1/, untouched: true },
  },
  {
    fault: 'the disk of a droplet is full from the beginning',
    make: on('web-2', { diskFull: true }),
    fails: { code: 'disk-full', says: /web-2/, untouched: true },
  },
  {
    fault: 'the disk of a droplet is full while it is out',
    at: { step: 'drain', droplet: 'web-1' },
    make: on('web-1', { diskFull: true }),
    fails: { code: 'home-full', says: /Nothing was changed on web-1/ },
  },
  { fault: 'pulls are slow', make: on('web-1', { pullDelayMs: 2_000 }) },
];

describe('droplets', () => {
  const withFleet = fleetPool();
  for (const one of someOf([...LOST, ...SICK])) {
    it.concurrent(titleOf(one), () => withFleet((borrowed) => deployThrough(one, borrowed)));
  }
});
