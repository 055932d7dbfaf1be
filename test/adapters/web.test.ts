import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { web } from '../../src/adapters/web.js';

const server = createServer((request, response) => {
  const [, status = '', how] = (request.url ?? '').split('/');
  if (status === 'never') return;
  if (status === 'endless') {
    const write = () => {
      while (!response.destroyed)
        if (!response.write(Buffer.alloc(256 * 1024))) return void response.once('drain', write);
    };
    return write();
  }
  response.writeHead(Number(status), { location: '/500', 'content-length': '5' });
  response.write('wh');
  if (how === 'cut') setImmediate(() => response.destroy());
  else response.end('ole');
});
let base: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.closeAllConnections());
afterAll(() => void server.close());

it.each([
  ['/200', { status: 200, detail: 'HTTP 200' }],
  ['/301', { status: 301, detail: 'HTTP 301' }],
  ['/404', { status: 404, detail: 'HTTP 404' }],
  ['/503', { status: 503, detail: 'HTTP 503' }],
])('an answer: %s', async (path, expected) => {
  expect(await web.get(`${base}${path}`, 60_000)).toEqual(expected);
});

it('an answer that breaks off fails', async () => {
  expect(await web.get(`${base}/200/cut`, 60_000)).toEqual({ detail: expect.stringMatching(/./) });
});

it('an endless page counts as an answer, and is not read to its end', async () => {
  expect(await web.get(`${base}/endless`, 60_000)).toEqual({ status: 200, detail: 'HTTP 200' });
});

it('no answer in time fails', async () => {
  expect(await web.get(`${base}/never`, 50)).toEqual({ detail: 'no answer within 50 ms' });
});

it('a refused connection fails', async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  expect(await web.get(`http://127.0.0.1:${port}/`, 60_000)).toMatchObject({
    detail: expect.stringMatching(/ECONNREFUSED/),
  });
});
