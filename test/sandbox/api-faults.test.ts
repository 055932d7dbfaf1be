import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseFaultRule } from '../../src/sandbox/faults.js';
import type { BalancerRecord } from '../../src/sandbox/records.js';
import { type Bench, startBench } from './api-client.js';

let bench: Bench;
let balancer: BalancerRecord;
let id: number;

beforeEach(async () => {
  bench = await startBench();
  id = bench.world.addDroplet().id;
  balancer = bench.world.addBalancer({ name: 'web', dropletIds: [id] });
});
afterEach(() => bench.api.stop());

const leave = () => bench.call('DELETE', `/load_balancers/${balancer.id}/droplets`, { droplet_ids: [id] });

describe('a fault', () => {
  it('answers a status without applying the call', async () => {
    bench.api.faults.add({ on: { method: 'delete' }, do: { status: 500 } });
    const answer = await leave();
    expect([answer.status, answer.body.id]).toEqual([500, 'server_error']);
    expect(balancer.accepted.has(id)).toBe(true);
  });

  it('answers an error after applying the call', async () => {
    const body = { id: 'unprocessable_entity', message: 'odd' };
    bench.api.faults.add({ on: {}, do: { status: 422, body, headers: { 'x-odd': '1' }, applied: true } });
    const answer = await leave();
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject(body);
    expect(answer.headers.get('x-odd')).toBe('1');
    expect(balancer.accepted.has(id)).toBe(false);
  });

  it('drops the connection without applying the call', async () => {
    bench.api.faults.add({ on: { method: 'DELETE' }, do: 'drop' });
    await expect(leave()).rejects.toThrow();
    expect(balancer.accepted.has(id)).toBe(true);
  });

  it('loses the reply after applying the call', async () => {
    bench.api.faults.add({ on: { method: 'DELETE' }, do: 'lose-reply' });
    await expect(leave()).rejects.toThrow();
    expect(balancer.accepted.has(id)).toBe(false);
  });

  it('answers like a proxy: a page with status 200', async () => {
    bench.api.faults.add({ on: {}, do: 'html' });
    const answer = await bench.call('GET', '/droplets');
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('<html>');
  });

  it('applies the call and never answers', async () => {
    bench.api.faults.add({ on: { method: 'DELETE' }, do: 'withhold-reply' });
    let answered = false;
    const settle = () => {
      answered = true;
    };
    leave().then(settle, settle);
    await vi.waitUntil(() => bench.api.log.length === 1, { timeout: 10_000, interval: 10 });
    expect(bench.api.log).toMatchObject([{ outcome: 'hung' }]);
    expect([answered, balancer.accepted.has(id)]).toEqual([false, false]);
  });

  it('hangs until the client disconnects', async () => {
    bench.api.faults.add({ on: {}, do: 'hang' });
    const client = new AbortController();
    const request = expect(fetch(`${bench.api.url}/droplets`, { signal: client.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    while (bench.api.faults.list()[0]?.met === 0) await new Promise((resolve) => setImmediate(resolve));
    client.abort();
    await request;
    await vi.waitFor(() => expect(bench.api.log).toMatchObject([{ outcome: 'hung' }]), { timeout: 10_000 });
  });

  it('delays a call and then applies it', async () => {
    bench.api.faults.add({ on: {}, do: { delayMs: 3000 } });
    const started = bench.clock.now();
    let done = false;
    const answer = leave().finally(() => {
      done = true;
    });
    // The clock stands still until it is turned.
    while (bench.api.faults.list()[0]?.met === 0) await new Promise((resolve) => setImmediate(resolve));
    expect([done, balancer.accepted.has(id)]).toEqual([false, true]);
    bench.clock.turn(3000);
    expect((await answer).status).toBe(204);
    expect(bench.api.log).toMatchObject([{ at: started, ms: 3000, outcome: 204 }]);
  });

  it('applies to the calls that it names: by method, path, order and number', async () => {
    bench.api.faults.add({ on: { path: '/droplets$', method: 'GET', nth: 2, count: 2 }, do: { status: 503 } });
    const statuses = [];
    for (let call = 0; call < 5; call++) statuses.push((await bench.call('GET', '/droplets')).status);
    expect(statuses).toEqual([200, 503, 503, 200, 200]);
    expect((await leave()).status).toBe(204);
  });

  it('applies to the nth call only, and without nth to all until it is removed', async () => {
    const { faults } = bench.api;
    faults.add({ on: { nth: 2 }, do: { status: 503 } });
    const verdicts = () => [1, 2, 3].map(() => faults.judge('GET', '/v2/tags').effect !== undefined);
    expect(verdicts()).toEqual([false, true, false]);
    const { id: always } = faults.add({ on: {}, do: 'drop' });
    expect(verdicts()).toEqual([true, true, true]);
    faults.remove(always);
    expect(verdicts()).toEqual([false, false, false]);
  });

  it.each([
    [{ do: 'explode' }, /at do/],
    [{ on: { methd: 'GET' }, do: 'drop' }, /methd/],
    [{ on: { nth: 0 }, do: 'drop' }, /at on\.nth/],
    [{ on: { path: '(' }, do: 'drop' }, /regular expression/],
    ['drop', /object/],
  ])('is refused if it is invalid: %j', (rule, message) => {
    expect(() => parseFaultRule(rule)).toThrow(message);
  });
});

describe('the log', () => {
  it('contains every call with its body and outcome, and never the token', async () => {
    await leave();
    await bench.call('GET', '/tags?page=1', undefined, 'dop_v1_wrong');
    expect(bench.api.log).toMatchObject([
      { method: 'DELETE', body: { droplet_ids: [id] }, outcome: 204 },
      { method: 'GET', path: '/v2/tags?page=1', outcome: 401 },
    ]);
    expect(JSON.stringify(bench.api.log)).not.toContain('dop_v1');
  });
});
