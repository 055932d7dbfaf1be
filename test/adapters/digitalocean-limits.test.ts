import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RequestBudget } from '../../src/adapters/digitalocean/budget.js';
import { CloudError } from '../../src/errors.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { BUSY, cloudOn, dropletBody, errorBody, failureOf, HOST, LB_ID } from './digitalocean-fixtures.js';

beforeEach(() => nock.disableNetConnect());
afterEach(() => {
  nock.cleanAll();
  nock.enableNetConnect();
});

const api = () => nock(HOST);
const TOO_MANY = errorBody('too_many_requests', 'API rate limit exceeded.');
const FOUND = { droplet: dropletBody(1) };

describe('429', () => {
  it('waits as long as retry-after says, also for a change', async () => {
    api().post(`/v2/load_balancers/${LB_ID}/droplets`).reply(429, TOO_MANY, { 'retry-after': '37' });
    api().post(`/v2/load_balancers/${LB_ID}/droplets`).reply(204);
    const { cloud, clock } = cloudOn();
    const started = clock.now();
    await clock.run(cloud.addDroplets(LB_ID, [1]));
    expect(clock.now() - started).toBe(37_000);
  });

  it('waits for the minute, not the hour, when the limit of the minute is used up', async () => {
    const { cloud, clock } = cloudOn();
    const started = clock.now();
    const hour = { 'ratelimit-remaining': '0', 'ratelimit-reset': String(started / 1_000 + 3_500) };
    api()
      .get('/v2/droplets/1')
      .reply(429, TOO_MANY, { ...hour, 'retry-after': '12' });
    api().get('/v2/droplets/1').reply(200, FOUND);
    await clock.run(cloud.getDroplet(1));
    expect(clock.now() - started).toBe(12_000);
  });

  it('waits until ratelimit-reset when there is no retry-after', async () => {
    const { cloud, clock } = cloudOn();
    const started = clock.now();
    const headers = { 'ratelimit-remaining': '0', 'ratelimit-reset': String(started / 1_000 + 90) };
    api().get('/v2/droplets/1').reply(429, TOO_MANY, headers);
    api().get('/v2/droplets/1').reply(200, FOUND);
    await clock.run(cloud.getDroplet(1));
    expect(clock.now() - started).toBe(90_000);
  });

  it.each([
    ['no header says when', {}],
    ['the reset is past', { 'ratelimit-reset': '1' }],
    ['retry-after is not a number', { 'retry-after': 'Fri, 31 Dec 2027 23:59:59 GMT' }],
  ])('backs off when %s', async (_, headers) => {
    api().get('/v2/droplets/1').times(2).reply(429, TOO_MANY, headers);
    api().get('/v2/droplets/1').reply(200, FOUND);
    const { cloud, clock } = cloudOn();
    const started = clock.now();
    await clock.run(cloud.getDroplet(1));
    expect(clock.now() - started).toBeGreaterThanOrEqual(2_000);
    expect(clock.now() - started).toBeLessThanOrEqual(3_000);
  });

  it('is an error that names the time instead of a wait of more than five minutes', async () => {
    const { cloud, clock, traces } = cloudOn();
    const reset = clock.now() / 1_000 + 1_800;
    api()
      .get('/v2/droplets/1')
      .reply(429, TOO_MANY, { 'ratelimit-reset': String(reset) });
    const { error, ms } = await failureOf(clock, cloud.getDroplet(1));
    expect(error).toMatchObject({ kind: 'rate-limited', outcome: 'not-applied' });
    expect(error.message).toBe(
      "DigitalOcean's request limit is used up until 2026-11-21T08:15:00Z. Request 4d9d8375-3c56-4925-a3e7-eb137fed17e9.",
    );
    expect(error.hint).toContain('per token');
    expect(ms).toBe(0);
    expect(traces).toHaveLength(1);
  });

  it('fails after five minutes', async () => {
    api().get('/v2/droplets/1').reply(429, TOO_MANY, { 'retry-after': '50' }).persist();
    const { cloud, clock } = cloudOn();
    const { error, ms } = await failureOf(clock, cloud.getDroplet(1));
    expect(error.kind).toBe('rate-limited');
    expect(error.message).toContain('Tried 7 times in 5 min.');
    expect(ms).toBe(300_000);
  });

  it('also delays the other calls of the run', async () => {
    api().get('/v2/droplets/1').reply(429, TOO_MANY, { 'retry-after': '30' });
    api().get('/v2/droplets/1').reply(200, FOUND);
    api()
      .get('/v2/droplets/2')
      .reply(200, { droplet: dropletBody(2) });
    const sent: string[] = [];
    let second: Promise<unknown> = Promise.resolve();
    const { cloud, clock } = cloudOn({
      onTrace: ({ what, ms }) => {
        sent.push(`${what}, sent at ${clock.now() - ms - started}`);
        if (what.endsWith('429')) second = cloud.getDroplet(2);
      },
    });
    const started = clock.now();
    await clock.run(cloud.getDroplet(1).then(() => second));
    expect(sent.toSorted()).toEqual([
      'GET /v2/droplets/1 200, sent at 30000',
      'GET /v2/droplets/1 429, sent at 0',
      'GET /v2/droplets/2 200, sent at 30000',
    ]);
  });
});

describe('a busy balancer', () => {
  const path = `/v2/load_balancers/${LB_ID}/droplets`;

  it('is waited for, although it answers 403', async () => {
    api().delete(path).times(4).reply(403, BUSY);
    api().delete(path).reply(204);
    const { cloud, clock, traces } = cloudOn();
    const started = clock.now();
    await clock.run(cloud.removeDroplets(LB_ID, [1]));
    expect(clock.now() - started).toBe(1_000 + 2_000 + 4_000 + 8_000);
    expect(traces).toHaveLength(5);
  });

  it.each([180_000, 20_000])('fails as busy after %d ms of it', async (busyTimeoutMs) => {
    api().delete(path).reply(403, BUSY).persist();
    const { cloud, clock } = cloudOn({ busyTimeoutMs });
    const { error, ms } = await failureOf(clock, cloud.removeDroplets(LB_ID, [1]));
    expect(error).toMatchObject({ kind: 'busy', outcome: 'not-applied' });
    expect(error.message).toContain("Load Balancer can't be updated while it processes previous actions.");
    expect(ms).toBeLessThanOrEqual(busyTimeoutMs);
    expect(ms).toBeGreaterThan(busyTimeoutMs - 8_000);
  });

  it('is not waited for once the run may no longer change anything, which is checked before every attempt', async () => {
    api().delete(path).times(2).reply(403, BUSY);
    const { cloud, clock, traces } = cloudOn();
    let asked = 0;
    const before = async () => {
      asked += 1;
      if (asked === 3) throw new Error('the lock is lost');
    };
    await expect(clock.run(cloud.removeDroplets(LB_ID, [1], before))).rejects.toThrow('the lock is lost');
    expect(traces).toHaveLength(2);
  });

  it('leaves the outcome unknown when the attempt after the wait loses its answer', async () => {
    api().delete(path).reply(403, BUSY);
    api()
      .delete(path)
      .replyWithError(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }));
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.removeDroplets(LB_ID, [1]));
    expect(error).toMatchObject({ kind: 'network', outcome: 'unknown' });
  });
});

describe('the budget of requests', () => {
  it('allows at most 220 in any minute', async () => {
    const clock = new VirtualClock();
    const budget = new RequestBudget(clock);
    const started = clock.now();
    const sentAt: number[] = [];
    const callers = Array.from({ length: 700 }, () => budget.spend().then(() => sentAt.push(clock.now() - started)));
    await clock.run(Promise.all(callers));
    expect(sentAt.filter((at) => at === 0)).toHaveLength(220);
    for (const [index, at] of sentAt.entries()) {
      expect(at - (sentAt[index - 220] ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(60_000);
    }
    expect(clock.now() - started).toBe(180_000);
  });

  it('allows at most 4,900 in any hour, and names the time', async () => {
    const clock = new VirtualClock();
    const budget = new RequestBudget(clock);
    const spend = async () => {
      for (let count = 0; count < 4_900; count++) {
        await budget.spend();
        await clock.sleep(300);
      }
    };
    await clock.run(spend());
    const { error, ms } = await failureOf(clock, budget.spend());
    expect(error).toMatchObject({ kind: 'rate-limited', outcome: 'not-applied' });
    expect(error.message).toContain('until 2026-11-21T08:45:00Z');
    expect(ms).toBe(0);
    await clock.advance(3_600_000 - 4_900 * 300);
    await clock.run(budget.spend());
  });

  it('waits for the reset when an answer says that nothing is left', async () => {
    const clock = new VirtualClock();
    const budget = new RequestBudget(clock);
    const started = clock.now();
    budget.observe({ 'ratelimit-remaining': '0', 'ratelimit-reset': String(started / 1_000 + 40) });
    await clock.run(budget.spend());
    expect(clock.now() - started).toBe(40_000);
  });

  it('does not wait while something is left, or when the headers say nothing plausible', async () => {
    const clock = new VirtualClock();
    const budget = new RequestBudget(clock);
    const started = clock.now();
    budget.observe({ 'ratelimit-remaining': '1', 'ratelimit-reset': String(started / 1_000 + 40) });
    budget.observe({ 'ratelimit-remaining': '0' });
    budget.observe({ 'ratelimit-remaining': '', 'ratelimit-reset': 'soon' });
    budget.observe(undefined);
    for (const reset of ['1e300', '-1', '-1e300', 'NaN', 'Infinity', '99999999999', String(started / 1_000 + 7_200)]) {
      budget.observe({ 'ratelimit-remaining': '0', 'ratelimit-reset': reset });
      budget.observe({ 'ratelimit-remaining': '-1e300', 'ratelimit-reset': reset, 'retry-after': reset });
    }
    await clock.run(budget.spend());
    expect(clock.now()).toBe(started);
  });

  it('serves the next request after one has failed', async () => {
    const clock = new VirtualClock();
    const budget = new RequestBudget(clock);
    budget.pauseUntil(clock.now() + 301_000);
    await expect(clock.run(budget.spend())).rejects.toBeInstanceOf(CloudError);
    await clock.advance(2_000);
    await clock.run(budget.spend());
    expect(clock.now()).toBe(Date.UTC(2026, 10, 21, 7, 50, 1));
  });

  it('counts every request of the client, retries included', async () => {
    const { cloud, clock } = cloudOn();
    const started = clock.now();
    api().get('/v2/droplets/1').times(221).reply(200, FOUND);
    const read = async () => {
      for (let count = 0; count < 221; count++) await cloud.getDroplet(1);
    };
    await clock.run(read());
    expect(clock.now() - started).toBe(60_000);
  });
});
