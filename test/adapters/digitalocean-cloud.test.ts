import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cloudOn,
  dropletBody,
  errorBody,
  failureOf,
  HOST,
  LB_ID,
  loadBalancerBody,
  localServer,
  TOKEN,
} from './digitalocean-fixtures.js';

beforeEach(() => {
  nock.disableNetConnect();
  nock.enableNetConnect('127.0.0.1');
});
afterEach(() => {
  nock.cleanAll();
  nock.enableNetConnect();
});

const api = () => nock(HOST);

describe('reading load balancers', () => {
  it('sends the token and maps the answer to the port', async () => {
    nock(HOST, { reqheaders: { authorization: `Bearer ${TOKEN}` } })
      .get(`/v2/load_balancers/${LB_ID}`)
      .reply(200, { load_balancer: loadBalancerBody() });
    const { cloud, clock, traces } = cloudOn();
    expect(await clock.run(cloud.getLoadBalancer(LB_ID))).toEqual({
      id: LB_ID,
      name: 'web',
      ip: '203.0.113.9',
      status: 'active',
      type: 'REGIONAL',
      region: 'fra1',
      dropletIds: [3164444, 3164445],
      httpPort: 80,
      targetPorts: [900, 8080, 9001],
      healthCheck: {
        protocol: 'http',
        port: 8080,
        path: '/health',
        intervalSeconds: 10,
        timeoutSeconds: 5,
        healthyThreshold: 5,
        unhealthyThreshold: 3,
      },
      proxyProtocol: true,
      nodes: 1,
      sticky: false,
      vpcId: 'c33931f2-a26a-4e61-b85c-4e95a2ec431b',
    });
    expect(traces).toEqual([`GET /v2/load_balancers/${LB_ID} 200`]);
  });

  it.each([
    ['size_unit', { size_unit: 4, size: 'lb-small' }, 4],
    ['the size that it had before', { size_unit: undefined, size: 'lb-medium' }, 3],
    ['neither, where the answer lacks both', { size_unit: undefined }, 1],
  ])('reads the number of nodes from %s', async (_, fields, nodes) => {
    api()
      .get(`/v2/load_balancers/${LB_ID}`)
      .reply(200, { load_balancer: loadBalancerBody(fields) });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.getLoadBalancer(LB_ID))).toMatchObject({ nodes });
  });

  it.each([
    [{ type: 'cookies', cookie_name: 'DO-LB', cookie_ttl_seconds: 300 }, true],
    [{ type: 'none' }, false],
    [{}, false],
    [undefined, false],
  ])('reads whether clients stick to a droplet from sticky_sessions: %j', async (sticky_sessions, sticky) => {
    api()
      .get(`/v2/load_balancers/${LB_ID}`)
      .reply(200, { load_balancer: loadBalancerBody({ sticky_sessions }) });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.getLoadBalancer(LB_ID))).toMatchObject({ sticky });
  });

  it('reads a balancer with a tag, a tcp check without a path, and fractions of seconds', async () => {
    const health_check = { protocol: 'tcp', port: 22, check_interval_seconds: 0.25, response_timeout_seconds: 0.1 };
    api()
      .get(`/v2/load_balancers/${LB_ID}`)
      .reply(200, { load_balancer: loadBalancerBody({ tag: 'web', droplet_ids: [], health_check }) });
    const { cloud, clock } = cloudOn();
    const balancer = await clock.run(cloud.getLoadBalancer(LB_ID));
    expect(balancer.tag).toBe('web');
    expect(balancer.healthCheck).toEqual({
      protocol: 'tcp',
      port: 22,
      path: '/',
      intervalSeconds: 0.25,
      timeoutSeconds: 0.1,
      healthyThreshold: 3,
      unhealthyThreshold: 5,
    });
  });

  it('lists a global balancer, which has neither region nor droplets', async () => {
    const { region, droplet_ids, forwarding_rules, health_check, ...global } = loadBalancerBody({ type: 'GLOBAL' });
    api()
      .get('/v2/load_balancers')
      .query(true)
      .reply(200, { load_balancers: [global], links: {}, meta: { total: 1 } });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.listLoadBalancers())).toMatchObject([{ type: 'GLOBAL', region: '', dropletIds: [] }]);
  });

  it('does not mistake a missing list of droplets for an empty balancer', async () => {
    const { droplet_ids, ...hidden } = loadBalancerBody();
    api().get(`/v2/load_balancers/${LB_ID}`).reply(200, { load_balancer: hidden });
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error).toMatchObject({ code: 'cloud-invalid-answer' });
    expect(error.message).toContain('load_balancer.droplet_ids');
  });
});

describe('reading droplets', () => {
  it('finds addresses by type, in any order', async () => {
    api()
      .get('/v2/droplets/7')
      .reply(200, { droplet: dropletBody(7) });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.getDroplet(7))).toEqual({
      id: 7,
      name: 'web-7',
      status: 'active',
      publicAddress: '203.0.113.20',
      privateAddress: '10.0.0.2',
      tags: ['web'],
      region: 'fra1',
      vpcId: 'c33931f2-a26a-4e61-b85c-4e95a2ec431b',
    });
  });

  it('accepts missing fields that the token may not read', async () => {
    const { tags, vpc_uuid, networks, ...rest } = dropletBody(7);
    api().get('/v2/droplets/7').reply(200, { droplet: rest });
    const { cloud, clock } = cloudOn();
    const droplet = await clock.run(cloud.getDroplet(7));
    expect(droplet).toEqual({ id: 7, name: 'web-7', status: 'active', tags: [], region: 'fra1' });
  });

  it('requests those with a tag', async () => {
    api()
      .get('/v2/droplets')
      .query({ page: 1, per_page: 200, tag_name: 'do-deploy:out:production' })
      .reply(200, { droplets: [dropletBody(7)], links: {}, meta: { total: 1 } });
    const { cloud, clock } = cloudOn();
    const droplets = await clock.run(cloud.listDroplets({ tag: 'do-deploy:out:production' }));
    expect(droplets.map(({ id }) => id)).toEqual([7]);
  });
});

describe('paging', () => {
  const page = (number: number, ids: number[], rest: object) =>
    api()
      .get('/v2/droplets')
      .query({ page: number, per_page: 200 })
      .reply(200, { droplets: ids.map((id) => dropletBody(id)), ...rest });
  const next = { links: { pages: { next: `${HOST}/v2/droplets?page=9&per_page=200`, last: 'x' } } };
  const last = { links: { pages: { first: 'x', prev: 'x' } } };

  it('follows the links to the last page', async () => {
    page(1, [1, 2], { ...next, meta: { total: 5 } });
    page(2, [3, 4], { ...next, meta: { total: 5 } });
    page(3, [5], { ...last, meta: { total: 5 } });
    const { cloud, clock } = cloudOn();
    expect((await clock.run(cloud.listDroplets())).map(({ id }) => id)).toEqual([1, 2, 3, 4, 5]);
  });

  it('stops at one page when the answer has no links', async () => {
    page(1, [1, 2], { meta: { total: 2 } });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.listDroplets())).toHaveLength(2);
  });

  it('continues by the total when a proxy dropped the links', async () => {
    page(1, [1, 2], { links: {}, meta: { total: 3 } });
    page(2, [3], { links: {}, meta: { total: 3 } });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.listDroplets())).toHaveLength(3);
  });

  it('ends when the total includes a droplet that is gone', async () => {
    page(1, [1, 2], { meta: { total: 3 } });
    page(2, [], { meta: { total: 2 } });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.listDroplets())).toHaveLength(2);
  });

  it('counts a droplet once if it moved to the next page meanwhile', async () => {
    page(1, [1, 2], { ...next, meta: { total: 3 } });
    page(2, [2, 3], { ...last, meta: { total: 3 } });
    const { cloud, clock } = cloudOn();
    expect((await clock.run(cloud.listDroplets())).map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  it('fails when a server sends the same page for ever', async () => {
    page(1, [1, 2], next);
    page(2, [1, 2], next);
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.listDroplets());
    expect(error.code).toBe('cloud-invalid-answer');
    expect(error.message).toContain('its pages have no end');
  });
});

describe('changes', () => {
  it('add with POST and remove with DELETE, with the ids in the body', async () => {
    const server = await localServer((_, response) => response.writeHead(204).end());
    try {
      const { cloud, clock } = cloudOn({ apiUrl: `${server.apiUrl}/` });
      await clock.run(cloud.addDroplets(LB_ID, [1, 2]));
      await clock.run(cloud.removeDroplets(LB_ID, [2]));
      await clock.run(cloud.tagDroplets('do-deploy:out:production', [1]));
      await clock.run(cloud.untagDroplets('do-deploy:out:production', [1, 2]));
      const resource = (id: string) => `{"resource_id":"${id}","resource_type":"droplet"}`;
      expect(server.requests).toEqual([
        `POST /v2/load_balancers/${LB_ID}/droplets {"droplet_ids":[1,2]}`,
        `DELETE /v2/load_balancers/${LB_ID}/droplets {"droplet_ids":[2]}`,
        `POST /v2/tags/do-deploy:out:production/resources {"resources":[${resource('1')}]}`,
        `DELETE /v2/tags/do-deploy:out:production/resources {"resources":[${resource('1')},${resource('2')}]}`,
      ]);
    } finally {
      await server.close();
    }
  });

  it('send no request without droplets', async () => {
    const { cloud, clock, traces } = cloudOn();
    await clock.run(Promise.all([cloud.addDroplets(LB_ID, []), cloud.untagDroplets('a', [])]));
    expect(traces).toEqual([]);
  });

  it('are not taken as made if the answer is a page', async () => {
    api().delete(`/v2/load_balancers/${LB_ID}/droplets`).reply(200, '<html>Welcome to the guest network</html>');
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.removeDroplets(LB_ID, [1]));
    expect(error).toMatchObject({ kind: 'invalid-answer', outcome: 'unknown' });
  });
});

describe('tags', () => {
  it('are created', async () => {
    const created = api()
      .post('/v2/tags', { name: 'do-deploy:out:production' })
      .reply(201, { tag: { name: 'do-deploy:out:production', resources: {} } });
    const { cloud, clock } = cloudOn();
    await clock.run(cloud.createTag('do-deploy:out:production'));
    expect(created.isDone()).toBe(true);
  });

  it('may exist already', async () => {
    api().post('/v2/tags').reply(422, errorBody('unprocessable_entity', 'Tag name is already taken'));
    const looked = api()
      .get('/v2/tags/web')
      .reply(200, { tag: { name: 'web' } });
    const { cloud, clock } = cloudOn();
    await clock.run(cloud.createTag('web'));
    expect(looked.isDone()).toBe(true);
  });

  it('report the first refusal if the tag does not exist after all', async () => {
    api().post('/v2/tags').reply(422, errorBody('unprocessable_entity', 'Tag limit reached'));
    api().get('/v2/tags/web').reply(404, errorBody('not_found', 'Tag not found'));
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.createTag('web'));
    expect(error.kind).toBe('unprocessable');
    expect(error.message).toContain('Tag limit reached.');
  });

  it('are listed by their prefix, from every page', async () => {
    const page = (number: number, names: string[], next?: string) =>
      api()
        .get('/v2/tags')
        .query({ page: number, per_page: 200 })
        .reply(200, {
          tags: names.map((name) => ({ name, resources: { count: 0 } })),
          links: next === undefined ? {} : { pages: { next } },
          meta: { total: 4 },
        });
    page(1, ['web', 'do-deploy:a', 'x-do-deploy:b'], 'x');
    page(2, ['do-deploy:c']);
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.listTags('do-deploy:'))).toEqual(['do-deploy:a', 'do-deploy:c']);
  });

  it('are not taken as absent if the answer is something else', async () => {
    api().get('/v2/tags').query(true).reply(200, { items: [] });
    const { cloud, clock } = cloudOn();
    expect((await failureOf(clock, cloud.listTags('do-deploy:'))).error.kind).toBe('invalid-answer');
  });

  it('are deleted, also if they are gone already', async () => {
    const deleted = api().delete('/v2/tags/do-deploy:a').reply(204);
    const { cloud, clock } = cloudOn();
    await clock.run(cloud.deleteTag('do-deploy:a'));
    expect(deleted.isDone()).toBe(true);
    api().delete('/v2/tags/do-deploy:a').reply(404, errorBody('not_found', 'Tag not found'));
    await clock.run(cloud.deleteTag('do-deploy:a'));
  });

  it('are not changed if the check before a change fails', async () => {
    const { cloud, clock, traces } = cloudOn();
    const refuse = () => Promise.reject(new Error('lease-lost'));
    await expect(clock.run(cloud.createTag('web', refuse))).rejects.toThrow('lease-lost');
    await expect(clock.run(cloud.deleteTag('web', refuse))).rejects.toThrow('lease-lost');
    expect(traces).toEqual([]);
  });

  it('have their firewalls listed, from every page', async () => {
    const firewall = (id: string, tags: string[] | null) => ({ id, name: `fw-${id}`, status: 'succeeded', tags });
    api()
      .get('/v2/firewalls')
      .query({ page: 1, per_page: 200 })
      .reply(200, {
        firewalls: [
          firewall('a', ['web', 'db']),
          { ...firewall('b', null), inbound_rules: [{ sources: { tags: ['web'] } }] },
        ],
        links: { pages: { next: 'x' } },
        meta: { total: 3 },
      });
    api()
      .get('/v2/firewalls')
      .query({ page: 2, per_page: 200 })
      .reply(200, { firewalls: [firewall('c', ['web'])], links: {}, meta: { total: 3 } });
    const { cloud, clock } = cloudOn();
    expect(await clock.run(cloud.firewallsWithTag('web'))).toEqual([
      { name: 'fw-a', how: 'applies' },
      { name: 'fw-c', how: 'applies' },
      { name: 'fw-b', how: 'admits' },
    ]);
  });

  it('of firewalls are read with ranges of ports, and only for TCP', async () => {
    const rule = (protocol: string, ports: string, sources: object) => ({ protocol, ports, sources });
    const inbound_rules = [
      rule('tcp', '8000-9000', { load_balancer_uids: ['4de7ac8b'] }),
      rule('tcp', 'all', { addresses: ['10.0.0.0/8'] }),
      rule('tcp', '0', {}),
      rule('udp', '53', { addresses: ['0.0.0.0/0'] }),
      rule('icmp', '', { addresses: ['0.0.0.0/0'] }),
    ];
    api()
      .get('/v2/firewalls')
      .query(true)
      .reply(200, {
        firewalls: [{ id: 'a', name: 'fw-a', tags: null, droplet_ids: null, inbound_rules }],
        meta: { total: 1 },
      });
    const { cloud, clock } = cloudOn();
    const every = { from: 1, to: 65_535 };
    expect(await clock.run(cloud.listFirewalls())).toEqual([
      {
        name: 'fw-a',
        tags: [],
        dropletIds: [],
        inbound: [
          { ports: { from: 8000, to: 9000 }, addresses: [], balancerIds: ['4de7ac8b'] },
          { ports: every, addresses: ['10.0.0.0/8'], balancerIds: [] },
          { ports: every, addresses: [], balancerIds: [] },
        ],
      },
    ]);
  });

  it('of firewalls that are hidden are not mistaken for none', async () => {
    api()
      .get('/v2/firewalls')
      .query(true)
      .reply(200, { firewalls: [{ id: 'a', name: 'fw-a' }] });
    const { cloud, clock } = cloudOn();
    expect((await failureOf(clock, cloud.firewallsWithTag('web'))).error.kind).toBe('invalid-answer');
  });
});

describe('names that would change the path', () => {
  it.each(['../account', 'a/b', 'a?b=1', 'a b', '', 'ü', 'a'.repeat(256)])('refuses the tag %j', async (tag) => {
    const { cloud, clock, traces } = cloudOn();
    for (const call of [
      () => cloud.createTag(tag),
      () => cloud.deleteTag(tag),
      () => cloud.listTags(tag),
      () => cloud.tagDroplets(tag, [1]),
      () => cloud.untagDroplets(tag, [1]),
      () => cloud.listDroplets({ tag }),
      () => cloud.firewallsWithTag(tag),
    ]) {
      const { error } = await failureOf(clock, call());
      expect(error).toMatchObject({ kind: 'unprocessable', outcome: 'not-applied', source: 'user' });
    }
    expect(traces).toEqual([]);
  });

  it.each(['../droplets', 'a/b', 'a?b', ''])('refuses the id %j', async (id) => {
    const { cloud, clock, traces } = cloudOn();
    expect((await failureOf(clock, cloud.listPoolMembers(id))).error.source).toBe('user');
    expect((await failureOf(clock, cloud.getLoadBalancer(id))).error.source).toBe('user');
    expect((await failureOf(clock, cloud.addDroplets(id, [1]))).error.source).toBe('user');
    expect(traces).toEqual([]);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 60])('refuses the droplet id %j', async (id) => {
    const { cloud, clock, traces } = cloudOn();
    expect((await failureOf(clock, cloud.getDroplet(id))).error.source).toBe('user');
    expect((await failureOf(clock, cloud.removeDroplets(LB_ID, [id]))).error.source).toBe('user');
    expect(traces).toEqual([]);
  });
});
