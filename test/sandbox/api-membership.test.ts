import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BalancerRecord, DropletRecord } from '../../src/sandbox/records.js';
import { type Bench, startBench } from './api-client.js';

let bench: Bench;
let droplets: DropletRecord[];
let balancer: BalancerRecord;
let ids: number[];

beforeEach(async () => {
  bench = await startBench();
  droplets = [1, 2, 3].map((number) => bench.world.addDroplet({ name: `web-${number}` }));
  ids = droplets.map(({ id }) => id);
  balancer = bench.world.addBalancer({ name: 'web', dropletIds: ids });
});
afterEach(() => bench.api.stop());

const shown = async () => (await bench.call('GET', `/load_balancers/${balancer.id}`)).body.load_balancer.droplet_ids;
const members = () => `/load_balancers/${balancer.id}/droplets`;

describe('a balancer with droplets by id', () => {
  it('removes and adds a droplet with 204 and an empty body', async () => {
    const left = await bench.call('DELETE', members(), { droplet_ids: [ids[1]] });
    expect([left.status, left.body]).toEqual([204, '']);
    expect(await shown()).toEqual([ids[0], ids[2]]);

    const joined = await bench.call('POST', members(), { droplet_ids: [ids[1]] });
    expect([joined.status, joined.body]).toEqual([204, '']);
    expect(await shown()).toEqual([ids[0], ids[2], ids[1]]);
  });

  it('answers 204 before GET shows the change, and shows it before traffic follows', async () => {
    Object.assign(bench.world.timing, { apiDelayMs: 1000, effectDelayMs: 5000 });
    expect((await bench.call('DELETE', members(), { droplet_ids: [ids[0]] })).status).toBe(204);
    expect(await shown()).toEqual(ids);

    bench.clock.turn(1000);
    expect(await shown()).toEqual([ids[1], ids[2]]);
    expect(balancer.serving.ids).toEqual(ids);

    bench.clock.turn(4000);
    expect(balancer.serving.ids).toEqual([ids[1], ids[2]]);
  });

  it('ends in the state of the last request, even if the delay was shortened in between', async () => {
    Object.assign(bench.world.timing, { apiDelayMs: 5000, effectDelayMs: 5000 });
    await bench.call('DELETE', members(), { droplet_ids: [ids[0]] });
    Object.assign(bench.world.timing, { apiDelayMs: 100, effectDelayMs: 100 });
    await bench.call('POST', members(), { droplet_ids: [ids[0]] });
    bench.clock.turn(10_000);
    expect(await shown()).toEqual(ids);
    expect(balancer.serving.ids).toEqual(ids);
  });

  it('refuses further changes with 403 while it is busy, and stays active', async () => {
    bench.world.timing.busyMs = 3000;
    await bench.call('DELETE', members(), { droplet_ids: [ids[0]] });
    const busy = await bench.call('POST', members(), { droplet_ids: [ids[0]] });
    expect(busy.status).toBe(403);
    expect(busy.body).toEqual({
      id: 'forbidden',
      message: "Load Balancer can't be updated while it processes previous actions",
      request_id: busy.headers.get('x-request-id'),
    });
    expect((await bench.call('GET', `/load_balancers/${balancer.id}`)).body.load_balancer.status).toBe('active');

    bench.clock.turn(3000);
    expect((await bench.call('POST', members(), { droplet_ids: [ids[0]] })).status).toBe(204);
  });

  it('accepts requests that change nothing, without getting busy', async () => {
    bench.world.timing.busyMs = 3000;
    expect((await bench.call('POST', members(), { droplet_ids: [ids[0]] })).status).toBe(204);
    expect((await bench.call('DELETE', members(), { droplet_ids: [999] })).status).toBe(204);
    expect((await bench.call('DELETE', members(), { droplet_ids: [ids[0]] })).status).toBe(204);
    expect(await shown()).toEqual([ids[1], ids[2]]);
  });

  it.each([
    ['no body', undefined],
    ['malformed JSON', '{"droplet_ids":'],
    ['no droplet_ids', {}],
    ['ids as strings', { droplet_ids: ['410000001'] }],
    ['a fraction', { droplet_ids: [1.5] }],
    ['an empty list', { droplet_ids: [] }],
    ['a droplet that does not exist', { droplet_ids: [999] }],
  ])('answers 422 to %s', async (_name, body) => {
    const answer = await bench.call('POST', members(), body);
    expect(answer.status).toBe(422);
    expect(answer.body.id).toBe('unprocessable_entity');
    expect(balancer.accepted.ids).toEqual(ids);
  });

  it('accepts ten droplets, not eleven', async () => {
    const more = Array.from({ length: 8 }, () => bench.world.addDroplet().id);
    expect((await bench.call('POST', members(), { droplet_ids: more.slice(0, 7) })).status).toBe(204);
    expect((await bench.call('POST', members(), { droplet_ids: more.slice(7) })).status).toBe(422);
  });

  it('loses a destroyed droplet immediately', async () => {
    bench.world.timing.apiDelayMs = 5000;
    bench.world.destroyDroplet(ids[0] ?? 0);
    expect(await shown()).toEqual([ids[1], ids[2]]);
    expect((await bench.call('GET', `/droplets/${ids[0]}`)).status).toBe(404);
  });
});

describe('a balancer managed by a tag', () => {
  beforeEach(() => {
    bench.world.createTag('web:prod');
    bench.world.tagDroplets('web:prod', ids.slice(0, 2));
    balancer = bench.world.addBalancer({ name: 'tagged', tag: 'web:prod' });
  });

  it('shows the tag and its droplets', async () => {
    const { load_balancer } = (await bench.call('GET', `/load_balancers/${balancer.id}`)).body;
    expect(load_balancer).toMatchObject({ tag: 'web:prod', droplet_ids: ids.slice(0, 2) });
  });

  it.each(['POST', 'DELETE'])('refuses %s of droplets by id with 422', async (method) => {
    expect((await bench.call(method, members(), { droplet_ids: [ids[0]] })).status).toBe(422);
    expect(await shown()).toEqual(ids.slice(0, 2));
  });

  it('follows tagging and untagging, with the same delays', async () => {
    Object.assign(bench.world.timing, { apiDelayMs: 1000, effectDelayMs: 2000 });
    const resources = (id?: number) => ({ resources: [{ resource_id: String(id), resource_type: 'droplet' }] });
    expect((await bench.call('DELETE', '/tags/web:prod/resources', resources(ids[0]))).status).toBe(204);
    expect((await bench.call('POST', '/tags/web:prod/resources', resources(ids[2]))).status).toBe(204);
    expect(await shown()).toEqual(ids.slice(0, 2));
    bench.clock.turn(1000);
    expect(await shown()).toEqual([ids[1], ids[2]]);
    expect(balancer.serving.ids).toEqual(ids.slice(0, 2));
    bench.clock.turn(1000);
    expect(balancer.serving.ids).toEqual([ids[1], ids[2]]);
  });

  it('can have more than ten droplets', () => {
    const many = Array.from({ length: 200 }, () => bench.world.addDroplet({ tags: ['many'] }));
    const { serving } = bench.world.addBalancer({ name: 'many', tag: 'many' });
    expect(serving.ids).toEqual(many.map(({ id }) => id));
    expect(new Set(many.map(({ publicAddress }) => publicAddress)).size).toBe(200);
  });
});
