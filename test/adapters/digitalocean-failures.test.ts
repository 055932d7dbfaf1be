import type { ServerResponse } from 'node:http';
import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Trace } from '../../src/rollout/model.js';
import {
  cloudOn,
  deadAddress,
  errorBody,
  failureOf,
  HOST,
  LB_ID,
  loadBalancerBody,
  localServer,
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
const balancerPath = `/v2/load_balancers/${LB_ID}`;
const FOUND = { load_balancer: loadBalancerBody() };

it('a trace names the request, as DigitalOcean does', async () => {
  const traces: Trace[] = [];
  const { cloud, clock } = cloudOn({ onTrace: (trace) => traces.push(trace) });
  api().get(balancerPath).reply(200, FOUND, { 'x-request-id': '4d9d8375-3c56-4925' });
  await clock.run(cloud.getLoadBalancer(LB_ID));
  api().get(balancerPath).reply(401, errorBody('unauthorized', 'no'), { 'x-request-id': 'two\tlines' });
  await failureOf(clock, cloud.getLoadBalancer(LB_ID));
  expect(traces).toMatchObject([
    { kind: 'http', what: `GET ${balancerPath} 200`, detail: 'request 4d9d8375-3c56-4925' },
    { kind: 'http', what: `GET ${balancerPath} 401` },
  ]);
  expect(traces[1]).not.toHaveProperty('detail');
});

describe('refusals are final', () => {
  it('401: names the token, where to create one and with which scopes', async () => {
    api().get(balancerPath).reply(401, errorBody('unauthorized', 'Unable to authenticate you'));
    const { cloud, clock, traces } = cloudOn();
    const { error, ms } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.info()).toMatchObject({ code: 'cloud-unauthorized', source: 'user' });
    expect(error.message).toBe('DigitalOcean refused the token (401). Request 4d9d8375-3c56-4925-a3e7-eb137fed17e9.');
    expect(error.hint).toContain('DO_TOKEN');
    expect(error.hint).toContain('load_balancer:update, droplet:read');
    expect(ms).toBe(0);
    expect(traces).toEqual([`GET ${balancerPath} 401`]);
  });

  it('401: names the place of the token, if a file has it', async () => {
    api().get(balancerPath).reply(401, errorBody('unauthorized', 'Unable to authenticate you'));
    const { cloud, clock } = cloudOn({ tokenPlace: 'DO_TOKEN in config/.env:1' });
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.hint).toMatch(/^Check DO_TOKEN in config\/\.env:1\. Create a token/);
  });

  it.each([
    ['removing a droplet', 'delete', `${balancerPath}/droplets`, 'load_balancer:update'],
    ['tagging', 'post', '/v2/tags/web/resources', 'tag:create and droplet:update'],
    ['untagging', 'delete', '/v2/tags/web/resources', 'tag:delete and droplet:update'],
    ['reading a droplet', 'get', '/v2/droplets/1', 'droplet:read'],
    ['creating a tag', 'post', '/v2/tags', 'tag:create'],
  ] as const)('403 on %s names the missing scope', async (what, method, path, scopes) => {
    const refusal = errorBody('Forbidden', 'You are not authorized to perform this operation');
    api().intercept(path, method.toUpperCase()).reply(403, refusal);
    const { cloud, clock } = cloudOn();
    const calls = {
      'removing a droplet': () => cloud.removeDroplets(LB_ID, [1]),
      tagging: () => cloud.tagDroplets('web', [1]),
      untagging: () => cloud.untagDroplets('web', [1]),
      'reading a droplet': () => cloud.getDroplet(1),
      'creating a tag': () => cloud.createTag('web'),
    };
    const { error, ms } = await failureOf(clock, calls[what]());
    expect(error).toMatchObject({ kind: 'forbidden', outcome: 'not-applied' });
    expect(error.hint).toContain(`The token lacks ${scopes}:`);
    expect(ms).toBe(0);
  });

  it('404 names what was requested and what to check', async () => {
    api().get(balancerPath).reply(404, errorBody('not_found', 'Load Balancer not found'));
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.kind).toBe('not-found');
    expect(error.message).toContain(`404 when asked to read load balancer ${LB_ID}: Load Balancer not found.`);
    expect(error.hint).toContain('load_balancer in the configuration file');
  });

  it('404 on a tag that does not exist yet is reported as such, so that the caller can create it', async () => {
    api().post('/v2/tags/web/resources').reply(404, errorBody('not_found', 'Tag not found'));
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.tagDroplets('web', [1]));
    expect(error).toMatchObject({ kind: 'not-found', outcome: 'not-applied' });
  });

  it('422 includes the reason from DigitalOcean', async () => {
    const message = 'cannot add droplets to a load balancer with a tag';
    api().post(`${balancerPath}/droplets`).reply(422, errorBody('unprocessable_entity', message));
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.addDroplets(LB_ID, [1, 2]));
    expect(error).toMatchObject({ kind: 'unprocessable', outcome: 'not-applied' });
    expect(error.message).toContain(`add droplets 1, 2 to load balancer ${LB_ID}: ${message}.`);
  });
});

describe('the other form of error of the API', () => {
  it('is reported like the usual one', async () => {
    const error = 'Error validating resource tag: contains invalid characters';
    api().post('/v2/tags').reply(400, { error, messages: null, root_causes: [] });
    api().get('/v2/tags/web').reply(404, errorBody('not_found', 'Tag not found'));
    const { cloud, clock } = cloudOn();
    const failure = await failureOf(clock, cloud.createTag('web'));
    expect(failure.error.kind).toBe('unprocessable');
    expect(failure.error.message).toContain(`400 when asked to create the tag "web": ${error}.`);
  });
});

describe('trouble on the way', () => {
  it('a read is repeated after 500s, with growing pauses', async () => {
    api().get(balancerPath).times(3).reply(500, errorBody('server_error', 'Unexpected server-side error'));
    api().get(balancerPath).reply(200, FOUND);
    const { cloud, clock, traces } = cloudOn();
    const started = clock.now();
    expect((await clock.run(cloud.getLoadBalancer(LB_ID))).name).toBe('web');
    expect(clock.now() - started).toBe(500 + 1_000 + 2_000);
    expect(traces.map((line) => line.slice(-3))).toEqual(['500', '500', '500', '200']);
  });

  it('a read fails after five attempts, and the error says so', async () => {
    const broken = api().get(balancerPath).times(5).reply(502, '<html>Bad Gateway</html>');
    const { cloud, clock } = cloudOn();
    const { error, ms } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error).toMatchObject({ kind: 'server', outcome: 'not-applied' });
    expect(error.message).toBe(
      `DigitalOcean answered 502 when asked to read load balancer ${LB_ID}. Tried 5 times in 7.5 s.`,
    );
    expect(ms).toBe(7_500);
    expect(broken.isDone()).toBe(true);
  });

  it('a change is never repeated after a 500: it may have been applied', async () => {
    api().post(`${balancerPath}/droplets`).reply(500, errorBody('server_error', 'oops'));
    const { cloud, clock, traces } = cloudOn();
    const { error } = await failureOf(clock, cloud.addDroplets(LB_ID, [1]));
    expect(error).toMatchObject({ kind: 'server', outcome: 'unknown' });
    expect(traces).toEqual([`POST ${balancerPath}/droplets 500`]);
  });

  const never = () => {};
  const cut = (_: unknown, response: ServerResponse) => response.destroy();
  const trickle = (_: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  };

  it.each([
    ['no answer', 'timeout', never],
    ['an answer that never ends', 'timeout', trickle],
    ['a connection cut after the request', 'network', cut],
  ] as const)('%s leaves a change unknown, and it is sent once', async (_, kind, answer) => {
    const server = await localServer(answer);
    try {
      const { cloud, clock } = cloudOn({ apiUrl: server.apiUrl, requestTimeoutMs: 1_000 });
      const { error } = await failureOf(clock, cloud.removeDroplets(LB_ID, [1]));
      expect(error).toMatchObject({ kind, outcome: 'unknown' });
      expect(error.hint).toContain('do-deploy status');
      expect(server.requests).toHaveLength(1);
    } finally {
      await server.close();
    }
  });

  it.each([
    ['no answer', never],
    ['an answer that never ends', trickle],
    ['a connection cut after the request', cut],
  ] as const)('%s: a read is repeated', async (_, answer) => {
    let requests = 0;
    const server = await localServer((request, response) => {
      requests += 1;
      if (requests === 1) return answer(request, response);
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(FOUND));
    });
    try {
      const { cloud, clock } = cloudOn({ apiUrl: server.apiUrl, requestTimeoutMs: 1_500 });
      expect((await clock.run(cloud.getLoadBalancer(LB_ID))).name).toBe('web');
      expect(requests).toBe(2);
    } finally {
      await server.close();
    }
  });

  it('a refused connection certainly changed nothing: a change is repeated, then fails', async () => {
    const apiUrl = await deadAddress();
    const { cloud, clock, traces } = cloudOn({ apiUrl });
    const { error, ms } = await failureOf(clock, cloud.addDroplets(LB_ID, [1]));
    expect(error).toMatchObject({ kind: 'network', outcome: 'not-applied' });
    expect(error.message).toContain(`Can't reach ${new URL(apiUrl).host}`);
    expect(error.message).toContain('(ECONNREFUSED)');
    expect(traces).toHaveLength(5);
    expect(ms).toBe(7_500);
  });

  it.each([
    ['ENOTFOUND', 'getaddrinfo', 'not-applied'],
    ['EAI_AGAIN', 'getaddrinfo', 'not-applied'],
    ['ETIMEDOUT', 'connect', 'not-applied'],
    ['EHOSTUNREACH', 'connect', 'not-applied'],
    ['ECONNRESET', 'read', 'unknown'],
    ['EPIPE', 'write', 'unknown'],
    ['ETIMEDOUT', 'read', 'unknown'],
  ] as const)('%s while in %s: a change is %s', async (code, syscall, outcome) => {
    const failure = Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
    api().post(`${balancerPath}/droplets`).times(5).replyWithError(failure);
    const { cloud, clock, traces } = cloudOn();
    expect((await failureOf(clock, cloud.addDroplets(LB_ID, [1]))).error.outcome).toBe(outcome);
    expect(traces).toHaveLength(outcome === 'unknown' ? 1 : 5);
  });

  it('is unknown when one of several addresses failed after the connection was made', async () => {
    const attempts = [
      Object.assign(new Error('a'), { code: 'ENETUNREACH', syscall: 'connect' }),
      Object.assign(new Error('b'), { code: 'ECONNRESET', syscall: 'read' }),
    ];
    api()
      .post(`${balancerPath}/droplets`)
      .times(5)
      .replyWithError(Object.assign(new AggregateError(attempts, 'both'), { code: 'ENETUNREACH' }));
    const { cloud, clock } = cloudOn();
    expect((await failureOf(clock, cloud.addDroplets(LB_ID, [1]))).error.outcome).toBe('unknown');
  });

  it('an untrusted certificate is reported immediately, with the remedy', async () => {
    const failure = Object.assign(new Error('self-signed certificate'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    api().get(balancerPath).replyWithError(failure);
    const { cloud, clock, traces } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error).toMatchObject({ kind: 'network', outcome: 'not-applied' });
    expect(error.hint).toContain('NODE_EXTRA_CA_CERTS');
    expect(traces).toHaveLength(1);
  });
});

describe('answers that are not from DigitalOcean', () => {
  const page = '<html><body>Sign in to the guest network</body></html>';

  it.each([
    ['a page instead of JSON', 200, page, 'text instead of JSON'],
    ['JSON of another shape', 200, { balancer: {} }, 'load_balancer'],
    ['a balancer in an unknown state', 200, { load_balancer: loadBalancerBody({ status: 'odd' }) }, 'status'],
    ['a page for a 401', 401, page, '401'],
    ['a page for a 403', 403, page, '403'],
    ['a page for a 404', 404, page, '404'],
    ['nothing', 200, '', 'text instead of JSON'],
  ])('%s: names the address, and what to check', async (_, status, body, found) => {
    api().get(balancerPath).reply(status, body);
    const { cloud, clock, traces } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.code).toBe('cloud-invalid-answer');
    expect(error.message).toContain(`api.digitalocean.com${balancerPath} did not answer as DigitalOcean's API does`);
    expect(error.message).toContain(found);
    expect(error.message).not.toContain('guest network');
    expect(error.hint).toContain('api_url');
    expect(traces).toHaveLength(1);
  });

  it('a redirect to another host is not followed with the token, nor believed', async () => {
    const seen: unknown[] = [];
    api().get(balancerPath).reply(302, '', { location: 'https://elsewhere.example/v2/balancer' });
    nock('https://elsewhere.example')
      .get('/v2/balancer')
      .reply(function () {
        seen.push(this.req.headers);
        return [200, FOUND];
      });
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.kind).toBe('invalid-answer');
    expect(error.message).toContain('it redirects to https://elsewhere.example');
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(seen)).not.toContain('dop_v1');
  });

  it('a 401 from the target of a redirect is not about the token', async () => {
    api().get(balancerPath).reply(301, '', { location: 'https://eu.api.digitalocean.com/v2/balancer' });
    const seen: unknown[] = [];
    nock('https://eu.api.digitalocean.com')
      .get('/v2/balancer')
      .reply(function () {
        seen.push(this.req.headers);
        return [401, errorBody('unauthorized', 'Unable to authenticate you')];
      });
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.message).toContain('it redirects to https://eu.api.digitalocean.com');
    expect(JSON.stringify(seen)).not.toContain('dop_v1');
  });
});
