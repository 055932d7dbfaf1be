/** DigitalOcean's API fails in every way that the sandbox supports during a deploy under load. */
import { describe, expect, it } from 'vitest';
import type { FaultEffect, FaultRule } from '../../src/sandbox/faults.js';
import type { Timing } from '../../src/sandbox/records.js';
import { someOf } from '../support/some-of.js';
import { deployThrough, type FaultCase, titleOf } from './fault-case.js';
import { fleetPool } from './fleet-pool.js';

import { SandboxFleet } from './sandbox-fleet.js';

const MEMBERS = '/load_balancers/[^/]+/droplets$';
const TAGGED = '/tags/[^/]+/resources$';

/** The changes that a deploy makes through the API, and their steps. */
const CHANGES = {
  'mark-out': { method: 'POST', path: TAGGED, nth: 1 },
  leave: { method: 'DELETE', path: MEMBERS, nth: 1 },
  rejoin: { method: 'POST', path: MEMBERS, nth: 1 },
  // The first call creates the ledger's tag.
  anchor: { method: 'POST', path: '/tags$', nth: 2 },
  // The first call proves that the token is allowed to.
  clear: { method: 'DELETE', path: TAGGED, nth: 2 },
};

function faults(...rules: FaultRule[]): FaultCase['make'] {
  return ({ region }) => {
    for (const rule of rules) region.faults.add(rule);
  };
}

/** Delays of DigitalOcean after a 204. */
function late(timing: Partial<Timing>): FaultCase['make'] {
  return ({ region }) => Object.assign(region.world.timing, timing);
}

function all(...makes: FaultCase['make'][]): FaultCase['make'] {
  return (fleet) => {
    for (const make of makes) make(fleet);
  };
}

/** Applies to each change once. */
function onEveryChange(effect: FaultEffect): FaultCase['make'] {
  return faults(...Object.values(CHANGES).map((on) => ({ on, do: effect })));
}

const problem = (status: number, id: string, message: string, headers: Record<string, string> = {}) => ({
  status,
  body: { id, message },
  headers,
});
const tooMany = (headers: Record<string, string>) =>
  problem(429, 'too_many_requests', 'API rate limit exceeded', headers);
const busy = problem(403, 'forbidden', "Load Balancer can't be updated while it processes previous actions");
const refused = problem(401, 'unauthorized', 'Unable to authenticate you');
const later = (seconds: number) => String(Math.ceil(Date.now() / 1000) + seconds);

const TRANSIENT: FaultCase[] = [
  {
    fault: 'every change fails in another way, and traffic follows late',
    make: all(
      late({ effectDelayMs: 1_500, apiDelayMs: 500 }),
      faults(
        { on: CHANGES['mark-out'], do: 'lose-reply' },
        { on: CHANGES.leave, do: { status: 502, applied: true } },
        { on: CHANGES.rejoin, do: 'drop' },
        { on: CHANGES.clear, do: { status: 500 } },
        { on: { ...CHANGES.leave, nth: 2 }, do: busy },
        { on: { ...CHANGES.rejoin, nth: 2 }, do: 'html' },
        { on: { method: 'GET', nth: 9, count: 2 }, do: { status: 503 } },
        { on: { method: 'GET', nth: 14 }, do: tooMany({ 'retry-after': '1' }) },
      ),
    ),
  },
  { fault: 'every change is answered with 500 and not applied', make: onEveryChange({ status: 500 }) },
  { fault: 'every change is answered with 500 and applied', make: onEveryChange({ status: 500, applied: true }) },
  { fault: 'the connection drops at every change', make: onEveryChange('drop') },
  { fault: 'the answer to every change is lost', make: onEveryChange('lose-reply') },
  { fault: 'a proxy answers every change', make: onEveryChange('html') },
  {
    fault: 'a change is applied and never answered',
    make: faults({ on: CHANGES.leave, do: 'withhold-reply' }),
  },
  { fault: 'a change is not applied and never answered', make: faults({ on: CHANGES.rejoin, do: 'hang' }) },
  { fault: 'a read is never answered', make: faults({ on: { method: 'GET', nth: 6 }, do: 'hang' }) },
  { fault: 'every fifth read fails', make: ({ region }) => everyFifthRead(region.faults.add.bind(region.faults)) },
  { fault: 'the rate limit is reached, with retry-after', make: onEveryChange(tooMany({ 'retry-after': '1' })) },
  {
    fault: 'the rate limit is reached, with its reset time',
    make: ({ region }) => region.faults.add({ on: CHANGES.leave, do: tooMany({ 'ratelimit-reset': later(3) }) }),
  },
  { fault: 'the rate limit is reached, without a reset time', make: onEveryChange(tooMany({ 'ratelimit-reset': '' })) },
  {
    fault: 'the balancer is busy after every change',
    make: late({ busyMs: 2_000 }),
  },
  { fault: 'every call takes a second', make: faults({ on: {}, do: { delayMs: 1_000 } }) },
  { fault: 'traffic follows immediately', make: late({ effectDelayMs: 0 }) },
  {
    fault: 'traffic follows after a second',
    make: late({ effectDelayMs: 1_000 }),
  },
  {
    fault: 'traffic follows after five seconds, and the API shows it after two',
    make: late({ effectDelayMs: 5_000, apiDelayMs: 2_000 }),
  },
];

function everyFifthRead(add: (rule: FaultRule) => unknown): void {
  for (let nth = 5; nth <= 100; nth += 5) add({ on: { method: 'GET', nth }, do: { status: 500 } });
}

const LASTING: FaultCase[] = [
  {
    fault: 'the API goes down while a droplet is out',
    at: { step: 'drain', droplet: 'web-1' },
    make: faults({ on: {}, do: { status: 503 } }),
    fails: { code: 'cloud-server', says: /503/ },
  },
  {
    fault: 'the network to the API fails while a droplet is out',
    at: { step: 'switch', droplet: 'web-2' },
    make: faults({ on: {}, do: 'drop' }),
    fails: { code: 'cloud-network', says: /connection/ },
  },
  {
    fault: 'the hourly limit is used up while a droplet is out',
    at: { step: 'switch', droplet: 'web-1' },
    make: ({ region }) => region.faults.add({ on: {}, do: tooMany({ 'ratelimit-reset': later(3_000) }) }),
    fails: { code: 'cloud-rate-limited', says: /until/ },
  },
  {
    fault: 'a proxy answers instead of the API from the beginning',
    make: faults({ on: {}, do: 'html' }),
    fails: { code: 'cloud-invalid-answer', says: /proxy/, untouched: true },
  },
  {
    fault: 'the token is revoked while a droplet is out',
    at: { step: 'switch', droplet: 'web-1' },
    make: faults({ on: {}, do: refused }),
    fails: { code: 'cloud-unauthorized', says: /token/ },
  },
  {
    fault: 'the token lacks the scope to change the balancer',
    make: faults({
      on: CHANGES.leave,
      do: problem(403, 'forbidden', 'You are not authorized to perform this operation'),
    }),
    fails: { code: 'cloud-forbidden', says: /load_balancer:update/ },
  },
];

describe("DigitalOcean's API", () => {
  const withFleet = fleetPool();
  for (const one of someOf([...TRANSIENT, ...LASTING])) {
    it.concurrent(titleOf(one), () => withFleet((borrowed) => deployThrough(one, borrowed)));
  }

  it.concurrent('a token without the scopes to tag is refused before any change, and the scopes are named', async () => {
    const scopes = ['load_balancer:read', 'load_balancer:update', 'droplet:read', 'tag:read', 'firewall:read'];
    const fleet = await SandboxFleet.start({ droplets: 2, scopes });
    try {
      const end = await fleet.run(['deploy', 'sandbox', 'v1', '--yes', '--json']);
      expect(end).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code: 'ledger-forbidden' } } });
      expect(end.result?.error?.hint).toContain('tag:create');
      const changes = fleet.region.apiLog.filter(({ method, outcome }) => method !== 'GET' && outcome !== 403);
      expect(changes).toEqual([]);
    } finally {
      await fleet.stop();
    }
  });
});
