import http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen, shutDown } from '../../src/sandbox/http.js';
import { Load, type LoadReport } from '../../src/sandbox/load.js';

let server: http.Server;
let url: string;
/** Handles the nth request. */
let behave: (response: http.ServerResponse, nth: number, request: http.IncomingMessage) => void;

beforeEach(async () => {
  let nth = 0;
  server = http.createServer((request, response) => behave(response, nth++, request));
  url = `http://127.0.0.1:${await listen(server)}`;
  behave = (response) => response.writeHead(200, { 'x-version': 'v1' }).end('hello');
});
afterEach(() => shutDown(server));

/** Runs until the load ends by its own bound. */
async function run(options: Partial<Parameters<typeof Load.start>[0]> = {}): Promise<LoadReport> {
  const load = Load.start({ url, requestsPerSecond: 400, maxRequests: 40, slowEvery: 10, slowMs: 5, ...options });
  await load.ended;
  return load.stop();
}

describe('the load', () => {
  it('mixes new connections, kept-alive ones and slow requests, and counts versions', async () => {
    const asked: string[] = [];
    behave = (response, nth, request) => {
      asked.push(`${request.url} ${request.headers.connection}`);
      response.writeHead(200, { 'x-version': nth < 30 ? 'v1' : 'v2' }).end('hello');
    };
    const report = await run();
    expect(report).toMatchObject({ total: 40, failed: 0, skipped: 0, failures: [] });
    expect(report.byKind).toEqual({ 'new connection': 20, 'kept alive': 16, slow: 4 });
    expect(report.byVersion).toEqual({ v1: 30, v2: 10 });
    const times = (what: string) => asked.filter((one) => one === what).length;
    expect([times('/ close'), times('/ keep-alive'), times('/slow?ms=5 close')]).toEqual([20, 16, 4]);
    expect(report.latencyMs.slowest).toBeGreaterThanOrEqual(report.latencyMs.p50);
  });

  it('counts everything but a complete 2xx answer as failed, with time and reason', async () => {
    behave = (response, nth) => {
      if (nth === 3) response.writeHead(502).end();
      else if (nth === 5) response.destroy();
      else if (nth === 7) response.writeHead(200, { 'content-length': '99' }).write('half', () => response.destroy());
      else response.writeHead(200).end('hello');
    };
    const before = Date.now();
    const report = await run();
    expect(report).toMatchObject({ total: 40, failed: 3, byVersion: { '': 37 } });
    expect(report.failures.map(({ reason }) => reason).toSorted()).toEqual(['ECONNRESET', 'ECONNRESET', 'HTTP 502']);
    for (const { at } of report.failures) expect(at).toBeGreaterThanOrEqual(before);
  });

  it('counts a late answer as failed', async () => {
    behave = (response, nth) => {
      if (nth > 0) response.end('hello');
    };
    const report = await run({ maxRequests: 5, timeoutMs: 200, slowEvery: 0 });
    expect(report).toMatchObject({ total: 5, failed: 1, failures: [{ reason: 'no response within 200 ms' }] });
    expect(report.failures[0]?.afterMs).toBeGreaterThanOrEqual(199);
  });

  it('starts requests on schedule, up to a bound in progress', async () => {
    const waiting: http.ServerResponse[] = [];
    behave = (response) => waiting.push(response);
    const load = Load.start({ url, requestsPerSecond: 500, maxMs: 60, maxInProgress: 10 });
    await load.ended;
    for (let answered = 0; answered < 10; answered++) {
      while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      waiting.pop()?.end('hello');
    }
    expect(await load.stop()).toMatchObject({ total: 10, failed: 0, skipped: 20 });
  });

  it('waits for requests in progress when it is stopped', async () => {
    const load = Load.start({ url, requestsPerSecond: 1000, slowEvery: 1 });
    const asked = new Promise<void>((resolve) => {
      behave = (response) => {
        resolve();
        setTimeout(() => response.end('hello'), 50);
      };
    });
    await asked;
    const report = await load.stop();
    expect(report.total).toBeGreaterThan(0);
    expect(report.byVersion).toEqual({ '': report.total });
    expect(load.report()).toEqual(report);
  });

  it('counts refused connections as failed', async () => {
    await shutDown(server);
    const report = await run({ maxRequests: 5 });
    expect(report).toMatchObject({ total: 5, failed: 5 });
    expect(report.failures[0]?.reason).toBe('ECONNREFUSED');
  });
});
