import http from 'node:http';
import net from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Balancer } from '../../src/sandbox/balancer.js';
import { listen, shutDown } from '../../src/sandbox/http.js';
import type { BalancerRecord } from '../../src/sandbox/records.js';
import { type NewBalancer, World } from '../../src/sandbox/world.js';

/** A droplet's web server whose health and answers the test controls. */
interface App {
  id: number;
  healthStatus: number;
  /** Requests except health checks. */
  requests: http.IncomingMessage[];
  checks: number;
  /** Lets it answer `/held`. */
  release: () => void;
  port: number;
  server: http.Server;
}

const WAIT_MS = 20_000;
const QUICK = {
  intervalSeconds: 0.05,
  timeoutSeconds: 5,
  healthyThreshold: 2,
  unhealthyThreshold: 2,
  path: '/healthz',
};

let world: World;
let record: BalancerRecord;
let balancer: Balancer;
let apps: App[] = [];
let opened: { dropletId: number; port: number }[] = [];

async function startApp(id: number): Promise<App> {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = http.createServer(async (request, response) => {
    if (request.url === '/healthz') {
      app.checks += 1;
      response.writeHead(app.healthStatus).end();
      return;
    }
    app.requests.push(request);
    if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy());
      return;
    }
    if (request.url === '/begun') response.writeHead(200).write('half');
    if (request.url === '/held' || request.url === '/begun') await released;
    let body = '';
    for await (const chunk of request) body += chunk;
    if (!response.headersSent) response.writeHead(200, { 'x-version': `v${id}` });
    response.end(`${request.method} ${body}`);
  });
  const app: App = { id, healthStatus: 200, requests: [], checks: 0, release, port: await listen(server), server };
  return app;
}

async function start(count: number, wish: Partial<NewBalancer> = {}): Promise<void> {
  world = new World();
  apps = [];
  opened = [];
  const ids = Array.from({ length: count }, () => world.addDroplet().id);
  for (const id of ids) apps.push(await startApp(id));
  record = world.addBalancer({ name: 'web', dropletIds: ids, healthCheck: QUICK, ...wish });
  const connect = (dropletId: number, port: number) =>
    new Promise<net.Socket>((resolve, reject) => {
      opened.push({ dropletId, port });
      const app = apps.find(({ id }) => id === dropletId);
      const socket = net.connect(app?.port ?? 1, '127.0.0.1');
      socket.once('connect', () => resolve(socket));
      socket.once('error', reject);
    });
  balancer = await Balancer.start({ world, record, connect });
}

afterEach(async () => {
  await balancer.stop();
  await Promise.all(apps.map(({ server }) => shutDown(server)));
});

const app = (index: number): App => {
  const found = apps[index];
  if (found === undefined) throw new Error(`no app ${index}`);
  return found;
};
const allUp = () => balancer.until((backends) => backends.every(({ up }) => up), WAIT_MS);
const upIs = (index: number, up: boolean) =>
  balancer.until((backends) => backends.some((it) => it.dropletId === app(index).id && it.up === up), WAIT_MS);
const get = (path = '/') => fetch(balancer.url + path, { signal: AbortSignal.timeout(WAIT_MS) });

describe('the balancer', () => {
  it('answers 503 until enough health checks have passed', async () => {
    await start(1, { healthCheck: { ...QUICK, healthyThreshold: 3 } });
    const early = await get();
    expect(early.status).toBe(503);
    expect(await early.text()).toContain('503 Service Unavailable');
    expect(app(0).requests).toEqual([]);
    await allUp();
    expect(app(0).checks).toBe(3);
    expect((await get()).status).toBe(200);
  });

  it('distributes requests round robin', async () => {
    await start(3);
    await allUp();
    for (let request = 0; request < 9; request++) await (await get()).text();
    expect(apps.map(({ requests }) => requests.length)).toEqual([3, 3, 3]);
  });

  it('relays method, path, body and headers, with a new connection per request', async () => {
    await start(1);
    await allUp();
    const before = opened.length;
    const answer = await fetch(`${balancer.url}/a?b=c`, { method: 'POST', body: 'hello', headers: { 'x-one': '1' } });
    expect([answer.status, answer.headers.get('x-version')]).toEqual([200, `v${app(0).id}`]);
    expect(await answer.text()).toBe('POST hello');
    const [request] = app(0).requests;
    expect(request?.url).toBe('/a?b=c');
    expect(request?.headers).toMatchObject({ 'x-one': '1', 'x-forwarded-for': '127.0.0.1', connection: 'close' });
    await (await get()).text();
    expect(opened.length).toBeGreaterThanOrEqual(before + 2);
    expect(new Set(opened.map(({ port }) => port))).toEqual(new Set([80]));
  });

  it("keeps a client's connection open across droplets", async () => {
    await start(2);
    await allUp();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ports = [];
    for (let request = 0; request < 4; request++) {
      ports.push(
        await new Promise<number | undefined>((resolve, reject) => {
          const sent = http.get(balancer.url, { agent }, (response) => {
            const { localPort } = response.socket;
            response.resume().on('end', () => resolve(localPort));
          });
          sent.on('error', reject);
        }),
      );
    }
    agent.destroy();
    expect(new Set(ports).size).toBe(1);
    expect(apps.map(({ requests }) => requests.length)).toEqual([2, 2]);
  });

  it('removes a droplet after enough failed checks, and restores it after enough passed ones', async () => {
    await start(2);
    await allUp();
    app(0).healthStatus = 302;
    await upIs(0, false);
    await (await get()).text();
    await (await get()).text();
    expect(app(0).requests).toEqual([]);
    app(0).healthStatus = 204;
    await upIs(0, true);
  });

  it('finishes requests at a droplet that has left, and sends no new ones', async () => {
    await start(2);
    await allUp();
    const held = [get('/held'), get('/held')];
    await balancer.until((backends) => backends.every(({ inFlight }) => inFlight === 1), WAIT_MS);
    world.removeFromBalancer(record.id, [app(0).id]);
    expect(balancer.backends().find(({ dropletId }) => dropletId === app(0).id)).toMatchObject({
      leaving: true,
      up: false,
      inFlight: 1,
    });
    const seen = opened.filter(({ dropletId }) => dropletId === app(0).id).length;
    for (let request = 0; request < 4; request++) await (await get()).text();
    expect(opened.filter(({ dropletId }) => dropletId === app(0).id)).toHaveLength(seen);
    for (const { release } of apps) release();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    await balancer.until((backends) => backends.length === 1, WAIT_MS);
  });

  it('follows the membership after its delay', async () => {
    await start(2);
    await allUp();
    world.timing.effectDelayMs = 60_000;
    world.removeFromBalancer(record.id, [app(0).id]);
    await (await get()).text();
    await (await get()).text();
    expect(app(0).requests).toHaveLength(1);
  });

  it('treats a droplet that returns as down', async () => {
    await start(2);
    await allUp();
    world.removeFromBalancer(record.id, [app(0).id]);
    world.addToBalancer(record.id, [app(0).id]);
    expect(balancer.serving).toBe(1);
    await allUp();
    expect(balancer.serving).toBe(2);
    expect(balancer.fewestServing).toBe(1);
  });

  it('counts the fewest serving droplets since all served, or since told to', async () => {
    await start(2);
    expect(balancer.fewestServing).toBe(0);
    await allUp();
    expect(balancer.fewestServing).toBe(2);
    world.removeFromBalancer(record.id, [app(0).id]);
    expect(balancer.fewestServing).toBe(1);
    world.addToBalancer(record.id, [app(0).id]);
    await allUp();
    expect(balancer.fewestServing).toBe(1);
    balancer.watchServing();
    expect(balancer.fewestServing).toBe(2);
  });

  it('answers 502 if a droplet refuses the connection, without trying another', async () => {
    await start(2, { healthCheck: { ...QUICK, unhealthyThreshold: 1000 } });
    await allUp();
    await shutDown(app(0).server);
    const statuses = [(await get()).status, (await get()).status];
    expect(statuses.toSorted()).toEqual([200, 502]);
    expect(balancer.failures).toMatchObject([
      { dropletId: app(0).id, reason: expect.stringContaining('ECONNREFUSED') },
    ]);
  });

  it('cuts a response that the droplet cuts', async () => {
    await start(1);
    await allUp();
    await expect(get('/cut').then((answer) => answer.text())).rejects.toThrow();
    expect(balancer.failures).toHaveLength(1);
  });

  it.each(['/held', '/begun'])('does not count a failure if the client of %s disconnects', async (path) => {
    await start(1);
    await allUp();
    const client = new AbortController();
    const gone = fetch(balancer.url + path, { signal: client.signal }).then((answer) => {
      setImmediate(() => client.abort());
      return answer.text();
    });
    if (path === '/held') {
      await balancer.until(([backend]) => backend?.inFlight === 1, WAIT_MS);
      client.abort();
    }
    await expect(gone).rejects.toThrow('aborted');
    await balancer.until(([backend]) => backend?.inFlight === 0, WAIT_MS);
    app(0).release();
    expect((await get()).status).toBe(200);
    expect(balancer.failures).toEqual([]);
  });

  it('counts a check without an answer in time as failed', async () => {
    await start(1, { healthCheck: { ...QUICK, timeoutSeconds: 0.2 } });
    await allUp();
    const server = http.createServer(() => {});
    app(0).port = await listen(server);
    await upIs(0, false);
    await shutDown(server);
  });

  it("closes a client's idle connection after the idle timeout", async () => {
    await start(1, { idleTimeoutSeconds: 0.1 });
    await allUp();
    const client = net.connect(Number(new URL(balancer.url).port), '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    let answer = '';
    for await (const chunk of client) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1.1 200 OK.*GET/s);
  });

  it("reports the backends' states when a wait times out", async () => {
    await start(1);
    await expect(balancer.until(() => false, 10)).rejects.toThrow(/did not get there within 10 ms.*dropletId/);
  });
});
