/** Servers that answer without end, without sense or with intent. */
import type { ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { CloudError } from '../../src/errors.js';
import {
  cloudOn,
  dropletBody,
  errorBody,
  failureOf,
  HOST,
  LB_ID,
  type LocalServer,
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

const path = `/v2/load_balancers/${LB_ID}`;
const api = () => nock(HOST);

async function serve(answer: Parameters<typeof localServer>[0]): Promise<LocalServer> {
  const server = await localServer(answer);
  onTestFinished(() => server.close());
  return server;
}

const json = { 'content-type': 'application/json' };

describe('an answer without end', () => {
  /** Writes for as long as the client reads. */
  function flood(response: ServerResponse, to: NodeJS.WritableStream, onClose: () => void): void {
    const chunk = Buffer.alloc(256 * 1024, ' ');
    let open = true;
    const write = () => {
      while (open) if (!to.write(chunk)) return void to.once('drain', write);
    };
    response.on('close', () => {
      open = false;
      onClose();
    });
    write();
  }

  it.each(['plain', 'gzip'] as const)('is cut off at 16 MiB and named (%s)', async (encoding) => {
    let closed = 0;
    const onClose = () => {
      closed += 1;
    };
    const server = await serve((_, response) => {
      response.writeHead(200, { ...json, ...(encoding === 'gzip' && { 'content-encoding': 'gzip' }) });
      if (encoding === 'plain') return flood(response, response, onClose);
      const gzip = createGzip();
      gzip.on('error', () => {});
      gzip.pipe(response);
      flood(response, gzip, onClose);
    });
    const { cloud, clock } = cloudOn({ apiUrl: server.apiUrl, requestTimeoutMs: 120_000 });
    const before = process.memoryUsage().rss;
    for (const call of [() => cloud.getLoadBalancer(LB_ID), () => cloud.listAutoscalePools()]) {
      const { error } = await failureOf(clock, call());
      expect(error).toMatchObject({ kind: 'invalid-answer', outcome: 'not-applied' });
      expect(error.message).toContain('its answer is larger than 16 MiB');
    }
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(2);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
  });

  it('leaves a change unknown', async () => {
    const server = await serve((_, response) => {
      response.writeHead(200, json);
      response.end(Buffer.alloc(20 * 1024 * 1024, ' '));
    });
    const { cloud, clock } = cloudOn({ apiUrl: server.apiUrl });
    const { error } = await failureOf(clock, cloud.removeDroplets(LB_ID, [1]));
    expect(error).toMatchObject({ kind: 'invalid-answer', outcome: 'unknown' });
  });

  it('that trickles in is ended at the timeout, and its connection with it', async () => {
    let closed = 0;
    const server = await serve((_, response) => {
      response.writeHead(200, json);
      const timer = setInterval(() => response.write(' '), 10);
      response.on('close', () => {
        clearInterval(timer);
        closed += 1;
      });
    });
    const { cloud, clock } = cloudOn({ apiUrl: server.apiUrl, requestTimeoutMs: 300 });
    const { error } = await failureOf(clock, cloud.removeDroplets(LB_ID, [1]));
    expect(error.message).toContain('did not answer completely within 0.3 s when asked to remove droplet 1');
    expect((await failureOf(clock, cloud.listAutoscalePools())).error.kind).toBe('timeout');
    await expect.poll(() => closed, { timeout: 10_000 }).toBe(6);
  });

  it('of pages that always link to another is ended', async () => {
    const pages = (items: (page: number) => unknown[]) =>
      serve((request, response) => {
        const page = Number(new URL(request.url ?? '', HOST).searchParams.get('page'));
        const links = { pages: { next: 'https://api.digitalocean.com/v2/droplets?page=1' } };
        response.writeHead(200, json).end(JSON.stringify({ droplets: items(page), links }));
      });
    const same = await pages(() => [dropletBody(1)]);
    const first = cloudOn({ apiUrl: same.apiUrl });
    const repeated = await failureOf(first.clock, first.cloud.listDroplets());
    expect(repeated.error.message).toContain('its pages have no end');
    expect(same.requests).toHaveLength(2);
    const fresh = await pages((page) => [dropletBody(page)]);
    const second = cloudOn({ apiUrl: fresh.apiUrl });
    const endless = await failureOf(second.clock, second.cloud.listDroplets());
    expect(endless.error.message).toContain('its pages have no end');
    expect(fresh.requests).toHaveLength(500);
  });

  it('of pages that come slowly is ended after ten minutes', async () => {
    let now = 0;
    const clock = { now: () => now, sleep: async () => {} };
    const server = await serve((request, response) => {
      const page = Number(new URL(request.url ?? '', HOST).searchParams.get('page'));
      now += 14_000;
      response
        .writeHead(200, json)
        .end(JSON.stringify({ droplets: [dropletBody(page)], links: { pages: { next: 'https://x' } } }));
    });
    const { cloud } = cloudOn({ apiUrl: server.apiUrl, clock });
    const error = await cloud.listDroplets().then(
      () => new Error('It succeeded.'),
      (thrown: CloudError) => thrown,
    );
    expect(error).toMatchObject({ kind: 'timeout' });
    expect(error.message).toMatch(/^127\.0\.0\.1:\d+ is too slow to list the droplets: page 4\d after 10 min\.$/);
  });

  it('of items on one page is refused', async () => {
    const droplets = Array.from({ length: 10_001 }, () => ({}));
    api().get('/v2/droplets').query(true).reply(200, { droplets });
    const { cloud, clock } = cloudOn();
    expect((await failureOf(clock, cloud.listDroplets())).error.kind).toBe('invalid-answer');
  });
});

describe('numbers without sense', () => {
  it.each([
    ['ratelimit-reset', '1e300'],
    ['ratelimit-reset', '-1'],
    ['ratelimit-reset', 'NaN'],
    ['retry-after', '1e300'],
    ['retry-after', '-5'],
  ])('in a 429 are named, and not waited for: %s: %s', async (name, value) => {
    const refusal = errorBody('too_many_requests', 'API rate limit exceeded.');
    api()
      .get('/v2/droplets/1')
      .reply(429, refusal, { [name]: value })
      .persist();
    const { cloud, clock } = cloudOn();
    const { error, ms } = await failureOf(clock, cloud.getDroplet(1));
    expect(error.kind).toBe('rate-limited');
    expect(error.message).toContain(
      `DigitalOcean's request limit is used up. It says ${name}: ${value}, which is no plausible time.`,
    );
    expect(ms).toBeLessThanOrEqual(300_000);
  });

  it('in other answers do not delay anything', async () => {
    const headers = { 'ratelimit-remaining': '0', 'ratelimit-reset': '1e300', 'retry-after': '1e300' };
    api().get(path).reply(500, errorBody('server_error', 'x'), headers);
    api().get(path).reply(200, { load_balancer: loadBalancerBody() }, headers);
    api().get(path).reply(200, { load_balancer: loadBalancerBody() }, headers);
    const { cloud, clock } = cloudOn();
    const started = clock.now();
    await clock.run(cloud.getLoadBalancer(LB_ID));
    await clock.run(cloud.getLoadBalancer(LB_ID));
    expect(clock.now() - started).toBe(500);
  });

  it.each([
    ['check_interval_seconds', { health_check: { check_interval_seconds: 1e300 } }],
    ['response_timeout_seconds', { health_check: { response_timeout_seconds: -1 } }],
    ['healthy_threshold', { health_check: { healthy_threshold: 1e9 } }],
    ['size_unit', { size_unit: 1e15 }],
    ['droplet_ids', { droplet_ids: [1.5] }],
    ['droplet_ids', { droplet_ids: [1e300] }],
    ['target_port', { forwarding_rules: [{ target_port: 0 }] }],
    ['load_balancer.id', { id: '../account' }],
  ])('in a balancer are named: %s', async (field, changes) => {
    api()
      .get(path)
      .reply(200, { load_balancer: loadBalancerBody(changes) });
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.kind).toBe('invalid-answer');
    expect(error.message).toContain(field);
  });

  it('that stand for infinity are named', async () => {
    const body = JSON.stringify({ droplet: dropletBody(1) }).replace('"id":1', '"id":1e999');
    api().get('/v2/droplets/1').reply(200, body, json);
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getDroplet(1));
    expect(error.message).toContain('droplet.id');
  });
});

describe('texts with intent', () => {
  it('lose their control characters, and their excess', async () => {
    const evil = 'web\x1b]52;c;aGk=\x07\x1b[2J\n::add-mask::x\u202e';
    const name = `${evil}${'x'.repeat(1_000)}`;
    api()
      .get('/v2/droplets/1')
      .reply(200, { droplet: dropletBody(1, { name, tags: [evil], vpc_uuid: evil, region: { slug: evil } }) });
    api()
      .get(path)
      .reply(200, { load_balancer: loadBalancerBody({ name, ip: evil, type: evil, tag: evil }) });
    const { cloud, clock } = cloudOn();
    const droplet = await clock.run(cloud.getDroplet(1));
    const balancer = await clock.run(cloud.getLoadBalancer(LB_ID));
    expect(droplet.tags).toEqual(['web ::add-mask::x']);
    expect(droplet.name).toMatch(/^web ::add-mask::x x+…$/);
    const texts = JSON.stringify([droplet, balancer]);
    expect(texts).not.toMatch(/\\u|\\n|\p{Cc}|\p{Cf}/u);
    expect(texts.length).toBeLessThan(2_000);
  });

  it('are no addresses', async () => {
    const networks = { v4: [{ ip_address: '-oProxyCommand=x', type: 'public' }] };
    api()
      .get('/v2/droplets/1')
      .reply(200, { droplet: dropletBody(1, { networks }) });
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getDroplet(1));
    expect(error.message).toContain('ip_address: is not an IP address');
    expect(error.message).not.toContain('ProxyCommand');
  });
});

describe('the id of a request', () => {
  const ID = '4d9d8375-3c56-4925-a3e7-eb137fed17e9';

  it.each([
    ['a refusal', 404, errorBody('not_found', 'x'), {}],
    ['a rate limit', 429, errorBody('too_many_requests', 'x'), { 'retry-after': '1000' }],
    ['a server error without a body', 500, '', { 'x-request-id': ID }],
    ['a page', 403, '<html>', { 'x-request-id': ID }],
    ['an answer of another shape', 200, {}, { 'x-request-id': ID }],
  ] as const)('is part of the error after %s', async (_, status, body, headers) => {
    api().get(path).times(5).reply(status, body, headers);
    const { cloud, clock } = cloudOn();
    const { error } = await failureOf(clock, cloud.getLoadBalancer(LB_ID));
    expect(error.message).toContain(` Request ${ID}.`);
  });
});
