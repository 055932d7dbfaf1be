import http from 'node:http';
import type { Socket } from 'node:net';
import type { HealthCheckRecord } from '../records.js';
import { type Connect, connectWithin } from './connect.js';

/** One HTTP health check like DigitalOcean's: a status of 200-299 within the timeout passes, a redirect does not. */
export async function passesHealthCheck(
  connect: Connect,
  dropletId: number,
  check: HealthCheckRecord,
): Promise<boolean> {
  const timeoutMs = check.timeoutSeconds * 1000;
  try {
    const socket = await connectWithin(connect, dropletId, check.port, timeoutMs);
    const status = await statusOf(socket, check.path, timeoutMs).finally(() => socket.destroy());
    return status >= 200 && status <= 299;
  } catch {
    return false;
  }
}

function statusOf(socket: Socket, path: string, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: '127.0.0.1', 'user-agent': 'sandbox-health-check' };
    const request = http.get({ createConnection: () => socket, path, headers });
    const deadline = setTimeout(() => request.destroy(new Error(`no response within ${timeoutMs} ms`)), timeoutMs);
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.on('close', () => clearTimeout(deadline));
  });
}
