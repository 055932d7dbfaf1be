/** Answers as DigitalOcean gives them, and servers that fail as networks do. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDigitalOceanCloud, type DigitalOceanOptions } from '../../src/adapters/digitalocean-cloud.js';
import { Secret } from '../../src/config/secret.js';
import { CloudError } from '../../src/errors.js';
import { VirtualClock } from '../support/virtual-clock.js';

export const HOST = 'https://api.digitalocean.com';
export const TOKEN = 'dop_v1_0123456789abcdef';
export const LB_ID = '4de7ac8b-495b-4884-9a69-1050c6793cd6';

/** A cloud on virtual time; `traces` collects its requests. */
export function cloudOn(options: Partial<DigitalOceanOptions> = {}) {
  const clock = new VirtualClock({ realIo: true });
  const traces: string[] = [];
  const cloud = createDigitalOceanCloud({
    token: new Secret(TOKEN),
    apiUrl: `${HOST}/v2`,
    clock,
    onTrace: ({ what }) => traces.push(what),
    ...options,
  });
  return { cloud, clock, traces };
}

/** The error of a call that must fail, and how long it took, in virtual ms. */
export async function failureOf(
  clock: VirtualClock,
  call: Promise<unknown>,
): Promise<{ error: CloudError; ms: number }> {
  const started = clock.now();
  const error = await clock.run(
    call.then(
      () => new Error('It succeeded.'),
      (thrown: unknown) => thrown,
    ),
  );
  if (!(error instanceof CloudError)) throw error;
  return { error, ms: clock.now() - started };
}

export function loadBalancerBody(changes: object = {}) {
  return {
    id: LB_ID,
    name: 'web',
    ip: '203.0.113.9',
    size_unit: 1,
    algorithm: 'round_robin',
    status: 'active',
    created_at: '2026-02-04T21:00:00Z',
    type: 'REGIONAL',
    network: 'EXTERNAL',
    region: { name: 'Frankfurt 1', slug: 'fra1', available: true, features: [], sizes: [] },
    tag: '',
    droplet_ids: [3164444, 3164445],
    forwarding_rules: [
      { entry_protocol: 'https', entry_port: 443, target_protocol: 'http', target_port: 8080, certificate_id: 'c' },
      { entry_protocol: 'http', entry_port: 80, target_protocol: 'http', target_port: 8080 },
      { entry_protocol: 'tcp', entry_port: 9000, target_protocol: 'tcp', target_port: 900 },
      { entry_protocol: 'tcp', entry_port: 9001, target_protocol: 'tcp', target_port: 9001 },
    ],
    health_check: {
      protocol: 'http',
      port: 8080,
      path: '/health',
      check_interval_seconds: 10,
      response_timeout_seconds: 5,
      healthy_threshold: 5,
      unhealthy_threshold: 3,
    },
    sticky_sessions: { type: 'none' },
    enable_proxy_protocol: true,
    vpc_uuid: 'c33931f2-a26a-4e61-b85c-4e95a2ec431b',
    ...changes,
  };
}

export function dropletBody(id: number, changes: object = {}) {
  return {
    id,
    name: `web-${id}`,
    status: 'active',
    networks: {
      v4: [
        { ip_address: '10.0.0.2', netmask: '255.255.0.0', gateway: '10.0.0.1', type: 'private' },
        { ip_address: '203.0.113.20', netmask: '255.255.240.0', gateway: '203.0.113.1', type: 'public' },
      ],
      v6: [],
    },
    region: { name: 'Frankfurt 1', slug: 'fra1' },
    tags: ['web'],
    vpc_uuid: 'c33931f2-a26a-4e61-b85c-4e95a2ec431b',
    ...changes,
  };
}

export function errorBody(id: string, message: string) {
  return { id, message, request_id: '4d9d8375-3c56-4925-a3e7-eb137fed17e9' };
}

export const BUSY = errorBody('forbidden', "Load Balancer can't be updated while it processes previous actions");

export interface LocalServer {
  origin: string;
  apiUrl: string;
  /** `METHOD path body` of every complete request. */
  requests: string[];
  close(): Promise<void>;
}

/** A real server on loopback, for timeouts, broken connections and bodies on the wire. */
export async function localServer(answer: RequestListener): Promise<LocalServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      requests.push(`${request.method} ${request.url} ${body}`.trim());
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    apiUrl: `${origin}/v2`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An address without a listener. */
export async function deadAddress(): Promise<string> {
  const server = await localServer(() => {});
  await server.close();
  return server.apiUrl;
}
