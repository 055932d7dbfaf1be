import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Balancer } from '../../src/sandbox/balancer.js';
import { ControlServer } from '../../src/sandbox/control.js';
import { exampleRegistry, SHOP } from '../../src/sandbox/docker/images/example-registry.js';
import { parseReference } from '../../src/sandbox/docker/reference.js';
import type { BalancerRecord } from '../../src/sandbox/records.js';
import { type Bench, startBench } from './api-client.js';

let bench: Bench;
let record: BalancerRecord;
let balancer: Balancer;
let control: ControlServer;
let registry: ReturnType<typeof exampleRegistry>;
let dropletFaults: { droplet: string; fault: unknown }[];

beforeEach(async () => {
  bench = await startBench();
  const { world, api } = bench;
  const ids = ['web-1', 'web-2'].map((name) => world.addDroplet({ name }).id);
  record = world.addBalancer({ name: 'web', dropletIds: ids });
  const connect = () => Promise.reject(new Error('connect ECONNREFUSED'));
  balancer = await Balancer.start({ world, record, connect });
  dropletFaults = [];
  registry = exampleRegistry();
  control = await ControlServer.start({
    world,
    api,
    balancers: [balancer],
    registry,
    dropletFaults: {
      async set(droplet, fault) {
        if (!droplet.startsWith('web-')) throw new Error(`no droplet "${droplet}"`);
        dropletFaults.push({ droplet, fault });
      },
      clear: async () => void dropletFaults.splice(0),
      list: () => dropletFaults,
    },
    addDroplet: async (wish) => world.addDroplet(wish),
    destroyDroplet: async (id) => world.destroyDroplet(id),
  });
});
afterEach(async () => {
  await control.stop();
  await balancer.stop();
  await bench.api.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: tests know the shape of the JSON that they expect
async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> {
  const response = await fetch(control.url + path, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

describe('the control endpoint', () => {
  it('adds and removes faults of the API', async () => {
    const fault = { on: { method: 'GET', path: '/droplets' }, do: { status: 503 } };
    const added = await ask('POST', '/faults', fault);
    expect(added).toMatchObject({ status: 200, body: { id: 1, ...fault } });
    expect((await bench.call('GET', '/droplets')).status).toBe(503);
    expect((await ask('GET', '/faults')).body.api).toMatchObject([{ id: 1, seen: 1, met: 1 }]);
    await ask('DELETE', '/faults/1');
    expect((await bench.call('GET', '/droplets')).status).toBe(200);
  });

  it('sets delays and rate limits, and resets everything', async () => {
    expect((await ask('POST', '/faults', { region: { effectDelayMs: 5000, perMinute: 0 } })).status).toBe(200);
    await ask('POST', '/faults', { on: {}, do: 'drop' });
    await ask('POST', '/faults', { droplet: 'web-1', ssh: 'refuse' });
    expect(bench.world.timing).toEqual({ apiDelayMs: 0, effectDelayMs: 5000, busyMs: 0 });
    await ask('DELETE', '/faults');
    expect((await ask('GET', '/faults')).body).toEqual({
      api: [],
      droplets: [],
      region: { apiDelayMs: 0, effectDelayMs: 0, busyMs: 0, perHour: 5000, perMinute: 250 },
    });
    expect((await bench.call('GET', '/droplets')).status).toBe(200);
  });

  it('passes faults of droplets on', async () => {
    await ask('POST', '/faults', { droplet: 'web-1', ssh: 'refuse' });
    expect(dropletFaults).toEqual([{ droplet: 'web-1', fault: { ssh: 'refuse' } }]);
    const wrong = await ask('POST', '/faults', { droplet: 'db-1', ssh: 'refuse' });
    expect(wrong).toEqual({ status: 422, body: { error: 'no droplet "db-1"' } });
  });

  it('changes the membership', async () => {
    await ask('POST', `/balancers/${record.id}/remove`, { droplets: ['web-1'] });
    expect(record.shown.ids).toEqual([410_000_002]);
    const added = await ask('POST', '/droplets', { name: 'web-3' });
    expect(added.body).toMatchObject({ name: 'web-3', status: 'active' });
    await ask('POST', `/balancers/${record.id}/add`, { droplets: ['web-3', 410_000_001] });
    expect(record.shown.ids).toEqual([410_000_002, 410_000_003, 410_000_001]);
    await ask('DELETE', '/droplets/web-2');
    expect(record.shown.ids).toEqual([410_000_003, 410_000_001]);
  });

  it('tags and untags droplets, and changes the status of droplets and balancers', async () => {
    await ask('POST', '/tags/a/add', { droplets: ['web-1'] });
    await ask('PATCH', '/droplets/web-1', { status: 'off' });
    await ask('PATCH', `/balancers/${record.id}`, { status: 'errored' });
    const { body: state } = await ask('GET', '/state');
    expect(state.droplets[0]).toMatchObject({ name: 'web-1', tags: ['a'], status: 'off' });
    expect(state.balancers[0]).toMatchObject({ name: 'web', status: 'errored', url: balancer.url, serving: 0 });
    expect(state.balancers[0].backends).toHaveLength(2);
    await ask('POST', '/tags/a/remove', { droplets: ['web-1'] });
    expect([...(bench.world.droplets.get(410_000_001)?.tags ?? [])]).toEqual([]);
  });

  it('moves a tag in the registry, and stops the registry', async () => {
    const pulled = (tag: string) => registry.fetch(parseReference(`${SHOP}:${tag}`), undefined);
    await ask('PUT', '/registry/tags/latest', { image: 'v2' });
    expect(pulled('latest')).toBe(pulled('v2'));
    const wrong = await ask('PUT', '/registry/tags/latest', { image: 'v9' });
    expect(wrong).toEqual({ status: 422, body: { error: `the registry has no ${SHOP}:v9` } });

    await ask('PATCH', '/registry', { running: false });
    expect(() => pulled('v2')).toThrow(/connection refused/);
    await ask('PATCH', '/registry', { running: true });
    expect(pulled('v2')).toBeDefined();
    expect((await ask('PATCH', '/registry', {})).body).toEqual({ error: 'running must be one of true, false' });
  });

  it('shows the log of calls', async () => {
    await bench.call('GET', '/droplets');
    expect((await ask('GET', '/log')).body).toMatchObject([{ method: 'GET', path: '/v2/droplets', outcome: 200 }]);
  });

  it.each([
    ['POST', '/faults', { do: 'explode' }, 422, /^invalid fault: .*do/s],
    ['POST', '/faults', { region: { effectDelay: 1 } }, 422, /region.effectDelay: use apiDelayMs, effectDelayMs/],
    ['POST', '/faults', { region: { effectDelayMs: 'soon' } }, 422, /must be a number/],
    ['PATCH', '/droplets/web-9', { status: 'off' }, 422, /no droplet "web-9"/],
    ['PATCH', '/droplets/web-1', { status: 'asleep' }, 422, /status must be one of active, off/],
    ['GET', '/nothing', undefined, 404, /no such command: GET \/nothing/],
  ])('explains what is wrong with %s %s %j', async (method, path, body, status, message) => {
    const answer = await ask(method, path, body);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toMatch(message);
  });
});
