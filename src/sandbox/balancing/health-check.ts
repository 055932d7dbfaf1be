import http from 'node:http';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { HealthCheckRecord } from '../records.js';
import { type Connect, connectWithin, PROXY_PROTOCOL_LINE } from './connect.js';

/**
 * One health check, as DigitalOcean makes it: 200–299 within the timeout passes for http and https (a redirect does not,
 * a certificate is not verified), an accepted connection for tcp.
 */
export async function passesHealthCheck(
  connect: Connect,
  dropletId: number,
  check: HealthCheckRecord,
  proxyProtocol: boolean,
): Promise<boolean> {
  const timeoutMs = check.timeoutSeconds * 1000;
  let socket: Socket;
  try {
    socket = await connectWithin(connect, dropletId, check.port, timeoutMs);
  } catch {
    return false;
  }
  try {
    socket.on('error', () => {});
    if (proxyProtocol) socket.write(PROXY_PROTOCOL_LINE);
    if (check.protocol === 'tcp') return true;
    const status = await statusOf(socket, check, timeoutMs);
    return status >= 200 && status <= 299;
  } finally {
    socket.destroy();
  }
}

/** 0 when there is no answer in time. */
function statusOf(socket: Socket, check: HealthCheckRecord, timeoutMs: number): Promise<number> {
  return new Promise((resolve) => {
    const stream = check.protocol === 'https' ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
    const request = http.get({
      createConnection: () => stream,
      path: check.path,
      headers: { host: '127.0.0.1', 'user-agent': 'sandbox-health-check' },
      timeout: timeoutMs,
    });
    const deadline = setTimeout(() => request.destroy(), timeoutMs);
    const settle = (status: number) => {
      clearTimeout(deadline);
      resolve(status);
    };
    request.on('response', (response) => {
      response.resume();
      settle(response.statusCode ?? 0);
    });
    request.on('error', () => settle(0));
    request.on('close', () => settle(0));
  });
}
