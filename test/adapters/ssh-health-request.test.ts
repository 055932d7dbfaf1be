import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HealthRequest } from '../../src/ports.js';
import { selfSigned } from '../support/self-signed.js';
import { clientOf, failureOf, startServer, temporaryFolder } from './ssh-fixture.js';

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const serve = (listener: RequestListener) => listen(createHttp(listener));

/** A port without a listener. */
async function closedPort(): Promise<number> {
  const server = createTcp();
  const port = await listen(server);
  await new Promise((done) => server.close(done));
  return port;
}

const request = (port: number, more: Partial<HealthRequest> = {}): HealthRequest => ({
  protocol: 'http',
  address: '127.0.0.1',
  port,
  path: '/health',
  proxyProtocol: false,
  timeoutMs: 20_000,
  ...more,
});

async function connected(forwarding = true) {
  const server = await startServer({ forwarding });
  return { server, connection: await clientOf(server).connect() };
}

describe('a health check through the connection', () => {
  it('passes on 2xx, with the request that the balancer makes', async () => {
    const asked: string[] = [];
    const port = await serve((incoming, answer) => {
      asked.push(`${incoming.method} ${incoming.url} ${incoming.headers.host}`);
      answer.writeHead(204).end();
    });
    const { server, connection } = await connected();
    const result = await connection.checkHealth(request(port, { path: '/health?deep=1' }));
    expect(result).toMatchObject({ passed: true, status: 204, detail: expect.stringMatching(/^HTTP 204 in \d+ ms$/) });
    expect(asked).toEqual([`GET /health?deep=1 127.0.0.1:${port}`]);
    expect(server.execs).toEqual([]);
  });

  it.each([301, 404, 503])('fails on %i', async (status) => {
    const port = await serve((_incoming, answer) => answer.writeHead(status, { location: '/' }).end('sorry'));
    const { connection } = await connected();
    expect(await connection.checkHealth(request(port))).toMatchObject({ passed: false, status });
  });

  it('skips informational answers, however they are split into packets', async () => {
    const port = await serve((_incoming, answer) => {
      answer.writeProcessing();
      answer.writeEarlyHints({ link: '</style.css>; rel=preload' });
      setImmediate(() => answer.writeHead(200).end());
    });
    const { connection } = await connected();
    expect(await connection.checkHealth(request(port))).toMatchObject({ passed: true, status: 200 });
  });

  it('is made at the given address only', async () => {
    const port = await serve((_incoming, answer) => answer.end());
    const { server, connection } = await connected();
    const forwards: string[] = [];
    server.on('forward', (address) => forwards.push(address));
    const result = await connection.checkHealth(request(port, { address: '127.0.0.2' }));
    expect(result).toMatchObject({ passed: false, detail: `127.0.0.2:${port} refused the connection` });
    expect(forwards).toEqual([`127.0.0.2:${port}`]);
  });

  it('fails on silence, on anything but HTTP, and on a closed connection', async () => {
    const silent = await listen(createTcp((socket) => socket.resume()));
    const other = await listen(createTcp((socket) => socket.end('220 smtp\r\n')));
    const rude = await listen(createTcp((socket) => socket.end()));
    const { connection } = await connected();
    const failed = { passed: false };
    expect(await connection.checkHealth(request(silent, { timeoutMs: 200 }))).toMatchObject({
      ...failed,
      detail: 'no answer within 0.2 s',
    });
    expect(await connection.checkHealth(request(other))).toMatchObject({ ...failed, detail: 'the answer is not HTTP' });
    expect(await connection.checkHealth(request(rude))).toMatchObject({
      ...failed,
      detail: 'the connection was closed without an answer',
    });
  });

  it('fails when the answer never comes to its status', async () => {
    const flood = (text: string) =>
      listen(
        createTcp((socket) => {
          socket.on('error', () => {});
          const write = () => {
            while (socket.writable) if (!socket.write(text)) return void socket.once('drain', write);
          };
          socket.once('data', write);
        }),
      );
    const { connection } = await connected();
    for (const text of ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 100 Continue\r\nX: y\r\n', 'x'.repeat(1000)]) {
      const result = await connection.checkHealth(request(await flood(text)));
      expect(result).toMatchObject({ passed: false, detail: 'the answer has no status' });
    }
  });

  it('accepts any certificate, as the balancer does', async () => {
    const server = createHttps(selfSigned(), (_incoming, answer) => answer.end());
    const port = await listen(server);
    const { connection } = await connected();
    expect(await connection.checkHealth(request(port, { protocol: 'https' }))).toMatchObject({
      passed: true,
      status: 200,
    });
    const plain = await serve((_incoming, answer) => answer.end());
    const failed = await connection.checkHealth(request(plain, { protocol: 'https' }));
    expect(failed).toMatchObject({ passed: false, detail: expect.stringContaining('TLS') });
  });

  it('needs only a connection for tcp', async () => {
    const port = await listen(createTcp((socket) => socket.resume()));
    const { connection } = await connected();
    expect(await connection.checkHealth(request(port, { protocol: 'tcp' }))).toMatchObject({ passed: true });
    const closed = await connection.checkHealth(request(await closedPort(), { protocol: 'tcp' }));
    expect(closed).toMatchObject({ passed: false });
  });

  it('starts with a PROXY header where the balancer sends one', async () => {
    let heard = '';
    const port = await listen(
      createTcp((socket) => {
        socket.once('data', (chunk) => {
          heard = chunk.toString();
          socket.end('HTTP/1.0 200 OK\r\n\r\n');
        });
      }),
    );
    const { connection } = await connected();
    expect(await connection.checkHealth(request(port, { proxyProtocol: true }))).toMatchObject({ passed: true });
    expect(heard).toMatch(new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 \\d+ ${port}\r\n`));
  });

  it('throws when the SSH connection is lost, unlike for a failed request', async () => {
    const { server, connection } = await connected();
    const port = await serve(() => {
      void server.stopListening();
      server.drop();
    });
    expect(await failureOf(connection.checkHealth(request(port)))).toMatchObject({ code: 'ssh-lost' });
  });
});

describe('a health check where sshd forbids forwarding', () => {
  it('is made by a command on the droplet', async () => {
    const port = await serve((incoming, answer) =>
      answer.writeHead(incoming.url === '/health?a=1&b=2' ? 200 : 503).end(),
    );
    const { server, connection } = await connected(false);
    expect(await connection.checkHealth(request(port, { path: '/health?a=1&b=2' }))).toMatchObject({
      passed: true,
      status: 200,
    });
    expect(await connection.checkHealth(request(port))).toMatchObject({ passed: false, status: 503 });
    expect(server.execs).toHaveLength(2);
    const closed = await closedPort();
    expect(await connection.checkHealth(request(closed))).toMatchObject({
      passed: false,
      detail: expect.stringContaining(`${closed}`),
    });
  });

  it('is made over TCP too', async () => {
    const port = await listen(createTcp((socket) => socket.end()));
    const { connection } = await connected(false);
    expect(await connection.checkHealth(request(port, { protocol: 'tcp' }))).toMatchObject({ passed: true });
    const closed = request(await closedPort(), { protocol: 'tcp' });
    expect(await connection.checkHealth(closed)).toMatchObject({ passed: false });
  });

  /** A droplet with only these tools on its PATH. */
  async function withTools(...tools: string[]) {
    const server = await startServer({ forwarding: false });
    const bin = temporaryFolder();
    for (const tool of ['sh', ...tools]) symlinkSync(which(tool), join(bin, tool));
    const shell = join(bin, 'login');
    writeFileSync(shell, `#!/bin/sh\nPATH=${bin}\nexport PATH\nexec /bin/sh "$@"\n`, { mode: 0o755 });
    server.options.shell = shell;
    return await clientOf(server).connect();
  }
  function which(tool: string): string {
    return execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
  }

  it('is made by wget if there is no curl', async () => {
    const port = await serve((incoming, answer) =>
      answer.writeHead(incoming.url === '/health' ? 200 : 503).end('hello'),
    );
    const connection = await withTools('wget', 'grep', 'sed');
    expect(await connection.checkHealth(request(port))).toMatchObject({ passed: true, status: 200 });
    expect(await connection.checkHealth(request(port, { path: '/other' }))).toMatchObject({
      passed: false,
      status: 503,
    });
  });

  it('fails with the reason if there is neither', async () => {
    const connection = await withTools();
    for (const protocol of ['http', 'tcp'] as const) {
      const result = await connection.checkHealth(request(1, { protocol }));
      expect(result).toMatchObject({ passed: false });
      expect(result.detail).toContain('no curl or wget');
    }
  });
});
