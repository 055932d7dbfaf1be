import { afterEach, describe, expect, it } from 'vitest';
import type { ApiServerOptions } from '../../src/sandbox/api/server.js';
import { type Bench, startBench, TOKEN } from './api-client.js';

let bench: Bench;
const start = async (options: Partial<ApiServerOptions> = {}) => {
  bench = await startBench(options);
  return bench;
};
afterEach(() => bench.api.stop());

describe('the token', () => {
  it('must be a known one', async () => {
    await start();
    const answer = await bench.call('GET', '/droplets', undefined, 'wrong');
    expect(answer.status).toBe(401);
    expect(answer.body).toMatchObject({ id: 'unauthorized', message: 'Unable to authenticate you' });
  });

  it('must have the scope of the call', async () => {
    await start({ tokens: [{ token: TOKEN, scopes: ['droplet:read'] }] });
    expect((await bench.call('GET', '/droplets')).status).toBe(200);
    const answer = await bench.call('GET', '/load_balancers');
    expect(answer.status).toBe(403);
    expect(answer.body).toMatchObject({
      id: 'forbidden',
      message: 'You are not authorized to perform this operation',
    });
  });

  it.each([
    ['tag:create', 'droplet:update'],
    ['droplet:update', 'tag:create'],
  ])('must have both scopes to tag a droplet: %s is not enough', async (scope, missing) => {
    const resources = [{ resource_id: '410000001', resource_type: 'droplet' }];
    await start({ tokens: [{ token: TOKEN, scopes: [scope] }] });
    bench.world.addDroplet({ tags: ['a'] });
    expect((await bench.call('POST', '/tags/a/resources', { resources })).status).toBe(403);
    await bench.api.stop();
    await start({ tokens: [{ token: TOKEN, scopes: [scope, missing] }] });
    bench.world.addDroplet({ tags: ['a'] });
    expect((await bench.call('POST', '/tags/a/resources', { resources })).status).toBe(204);
  });

  it('hides fields whose scope it lacks', async () => {
    await start({ tokens: [{ token: TOKEN, scopes: ['droplet:read'] }] });
    const { id } = bench.world.addDroplet({ tags: ['a'] });
    const { droplet } = (await bench.call('GET', `/droplets/${id}`)).body;
    expect(droplet.tags).toEqual([]);
    expect(droplet).not.toHaveProperty('vpc_uuid');
    expect((await bench.call('GET', '/droplets?tag_name=a')).status).toBe(403);
  });
});

describe('lists', () => {
  it('have pages of 20 items with links to the others', async () => {
    await start();
    for (let number = 0; number < 45; number++) bench.world.addDroplet();
    const first = (await bench.call('GET', '/droplets')).body;
    expect(first.droplets).toHaveLength(20);
    expect(first.meta).toEqual({ total: 45 });
    expect(Object.keys(first.links.pages).toSorted()).toEqual(['last', 'next']);

    const second = await (
      await fetch(first.links.pages.next, { headers: { authorization: `Bearer ${TOKEN}` } })
    ).json();
    expect(second).toMatchObject({ links: { pages: { first: expect.any(String), prev: expect.any(String) } } });

    const third = (await bench.call('GET', '/droplets?page=3')).body;
    expect(third.droplets).toHaveLength(5);
    expect(Object.keys(third.links.pages).toSorted()).toEqual(['first', 'prev']);
    const all = [...first.droplets, ...(second as typeof first).droplets, ...third.droplets];
    expect(new Set(all.map(({ id }) => id)).size).toBe(45);
  });

  it('have empty links if everything fits on a page of up to 200', async () => {
    await start();
    for (let number = 0; number < 45; number++) bench.world.addDroplet();
    const { body } = await bench.call('GET', '/droplets?per_page=200');
    expect(body.droplets).toHaveLength(45);
    expect(body.links).toEqual({});
  });

  it.each(['page=0', 'page=x', 'per_page=0', 'per_page=201'])('refuse ?%s', async (query) => {
    await start();
    expect((await bench.call('GET', `/droplets?${query}`)).status).toBe(422);
  });

  it('of droplets can be filtered by tag', async () => {
    await start();
    bench.world.addDroplet({ name: 'web-1', tags: ['prod'] });
    bench.world.addDroplet({ name: 'web-10' });
    const names = async (query: string) =>
      (await bench.call('GET', `/droplets?${query}`)).body.droplets.map(({ name }: { name: string }) => name);
    expect(await names('tag_name=prod')).toEqual(['web-1']);
    expect(await names('tag_name=none')).toEqual([]);
  });

  it('of firewalls name the tags and droplets that they apply to', async () => {
    await start();
    bench.world.addFirewall({ name: 'web', tags: ['prod'] });
    const { firewalls } = (await bench.call('GET', '/firewalls')).body;
    expect(firewalls).toMatchObject([{ name: 'web', tags: ['prod'], droplet_ids: [] }]);
  });

  it('of autoscale pools have their droplets as members', async () => {
    await start();
    const empty = await bench.call('GET', '/droplets/autoscale');
    expect(empty.body).toEqual({ autoscale_pools: [], links: {}, meta: { total: 0 } });
    const { id } = bench.world.addDroplet({ name: 'pool-1', pool: 'pool' });
    bench.world.addDroplet({ name: 'pool-2', pool: 'pool', status: 'new' });
    const { autoscale_pools } = (await bench.call('GET', '/droplets/autoscale')).body;
    expect(autoscale_pools).toMatchObject([{ name: 'pool', status: 'active', active_resources_count: 1 }]);
    const [pool] = autoscale_pools as { id: string }[];
    const members = await bench.call('GET', `/droplets/autoscale/${pool?.id}/members`);
    expect(members.body.droplets).toMatchObject([{ droplet_id: id, status: 'active' }, { status: 'provisioning' }]);
    expect((await bench.call('GET', '/droplets/autoscale/1/members')).status).toBe(404);
  });
});

describe('the rate limit', () => {
  it('reports the remaining requests in headers, and resets when the oldest expires', async () => {
    await start();
    const first = await bench.call('GET', '/droplets');
    bench.clock.turn(60_000);
    const second = await bench.call('GET', '/droplets');
    expect(first.headers.get('ratelimit-limit')).toBe('5000');
    expect(first.headers.get('ratelimit-remaining')).toBe('4999');
    expect(second.headers.get('ratelimit-remaining')).toBe('4998');
    expect(second.headers.get('ratelimit-reset')).toBe(first.headers.get('ratelimit-reset'));
    bench.clock.turn(3_541_000);
    expect((await bench.call('GET', '/droplets')).headers.get('ratelimit-remaining')).toBe('4998');
  });

  it('answers 429 with retry-after to a burst within a minute', async () => {
    await start({ limits: { perHour: 5000, perMinute: 2 } });
    await bench.call('GET', '/droplets');
    bench.clock.turn(20_000);
    await bench.call('GET', '/droplets');
    const burst = await bench.call('GET', '/droplets');
    expect(burst.status).toBe(429);
    expect(burst.body.id).toBe('too_many_requests');
    expect(burst.headers.get('retry-after')).toBe('40');
    expect(burst.headers.get('ratelimit-remaining')).toBe('0');
    bench.clock.turn(40_000);
    expect((await bench.call('GET', '/droplets')).status).toBe(200);
  });

  it('answers 429 without retry-after when the hour is used up', async () => {
    await start({ limits: { perHour: 2, perMinute: 250 } });
    await bench.call('GET', '/droplets');
    await bench.call('GET', '/droplets');
    const over = await bench.call('GET', '/droplets');
    expect(over.status).toBe(429);
    expect(over.headers.get('retry-after')).toBeNull();
    const resetInMs = Number(over.headers.get('ratelimit-reset')) * 1000 - bench.clock.now();
    bench.clock.turn(resetInMs);
    expect((await bench.call('GET', '/droplets')).status).toBe(200);
  });

  it('counts each token separately', async () => {
    await start({ limits: { perHour: 1, perMinute: 1 }, tokens: [{ token: 'a' }, { token: 'b' }] });
    expect((await bench.call('GET', '/droplets', undefined, 'a')).status).toBe(200);
    expect((await bench.call('GET', '/droplets', undefined, 'b')).status).toBe(200);
    expect((await bench.call('GET', '/droplets', undefined, 'a')).status).toBe(429);
  });
});

describe('tags', () => {
  it('are created once and counted', async () => {
    await start();
    expect((await bench.call('POST', '/tags', { name: 'do-deploy:out:prod' })).status).toBe(201);
    expect((await bench.call('POST', '/tags', { name: 'do-deploy:out:prod' })).status).toBe(201);
    const { id } = bench.world.addDroplet({ tags: ['do-deploy:out:prod'] });
    const { tag } = (await bench.call('GET', '/tags/do-deploy:out:prod')).body;
    expect(tag.resources.droplets).toMatchObject({ count: 1, last_tagged_uri: expect.stringContaining(String(id)) });
  });

  it('refuse invalid characters with an error of a different format', async () => {
    await start();
    const answer = await bench.call('POST', '/tags', { name: 'a b' });
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({ error: expect.any(String), messages: null, root_causes: [expect.any(String)] });
  });

  it.each([
    ['a number as id', { resource_id: 410_000_001, resource_type: 'droplet' }],
    ['a string that is no id', { resource_id: 'web-1', resource_type: 'droplet' }],
    ['a resource other than a droplet', { resource_id: '410000001', resource_type: 'server' }],
    ['no type', { resource_id: '410000001' }],
  ])('answer 422 to %s', async (_name, resource) => {
    await start();
    bench.world.addDroplet({ tags: ['a'] });
    expect((await bench.call('POST', '/tags/a/resources', { resources: [resource] })).status).toBe(422);
  });

  it('are listed, and deleted from the droplets that have them', async () => {
    await start();
    bench.world.addDroplet({ tags: ['a'] });
    bench.world.createTag('b');
    const names = async () => {
      const { body } = await bench.call('GET', '/tags');
      return (body.tags as { name: string }[]).map(({ name }) => name);
    };
    expect(await names()).toEqual(['a', 'b']);
    expect((await bench.call('DELETE', '/tags/a')).status).toBe(204);
    expect((await bench.call('DELETE', '/tags/a')).status).toBe(404);
    expect(await names()).toEqual(['b']);
    expect([...bench.world.droplets.values()].map(({ tags }) => [...tags])).toEqual([[]]);
  });

  it('answer 404 if the tag or the droplet is unknown', async () => {
    await start();
    bench.world.createTag('a');
    const resources = [{ resource_id: '999', resource_type: 'droplet' }];
    expect((await bench.call('POST', '/tags/a/resources', { resources })).status).toBe(404);
    expect((await bench.call('POST', '/tags/b/resources', { resources })).status).toBe(404);
  });
});

describe('a missing resource', () => {
  it('is a 404 of the usual format, with the request id of the header', async () => {
    await start();
    for (const path of ['/load_balancers/nope', '/droplets/1', '/droplets/web-1']) {
      const { status, body, headers } = await bench.call('GET', path);
      expect([path, status, body.id]).toEqual([path, 404, 'not_found']);
      expect(body.request_id).toBe(headers.get('x-request-id'));
    }
    expect(bench.world.unknownRequests).toEqual([]);
  });

  it('is recorded if the call is not supported at all', async () => {
    await start();
    const { id } = bench.world.addBalancer({ name: 'web' });
    expect((await bench.call('GET', '/account')).status).toBe(404);
    expect((await bench.call('PUT', `/load_balancers/${id}`, {})).status).toBe(404);
    expect(bench.world.unknownRequests).toEqual(['GET /v2/account', `PUT /v2/load_balancers/${id}`]);
  });
});
