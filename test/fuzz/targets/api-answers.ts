/** biome-ignore-all lint/performance/noDynamicNamespaceImportAccess: every schema is a target */
/** DigitalOcean's answers: a value without control characters, or a CloudError; nothing endless. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import * as answers from '../../../src/adapters/digitalocean/answers.js';
import { createDigitalOceanCloud } from '../../../src/adapters/digitalocean-cloud.js';
import { Secret } from '../../../src/config/secret.js';
import { CloudError } from '../../../src/errors.js';
import type { Cloud } from '../../../src/ports.js';
import { dropletBody, errorBody, LB_ID, loadBalancerBody } from '../../adapters/digitalocean-fixtures.js';
import { expectThat, target } from '../target.js';
import { isSafeLine } from '../unsafe.js';
import { hostileWord, spoiledData, spoiledJson } from '../words.js';

const page = { links: { pages: { next: 'https://api.digitalocean.com/v2/x?page=2', last: 'x' } }, meta: { total: 2 } };
const rules = [{ sources: { tags: ['web'], addresses: ['0.0.0.0/0'] } }];
const firewall = {
  id: LB_ID,
  name: 'web',
  tags: ['web'],
  inbound_rules: rules,
  outbound_rules: [{ destinations: {} }],
};
const BODIES = {
  loadBalancerAnswer: { load_balancer: loadBalancerBody() },
  dropletAnswer: { droplet: dropletBody(1) },
  tagAnswer: { tag: { name: 'web' } },
  registryAnswer: { auths: { 'registry.digitalocean.com': { auth: 'dG9rZW46dG9rZW4=' } } },
  noContent: '',
  loadBalancersPage: { load_balancers: [loadBalancerBody(), loadBalancerBody()], ...page },
  dropletsPage: { droplets: [dropletBody(1), dropletBody(2)], ...page },
  firewallsPage: { firewalls: [firewall], ...page },
  autoscalePoolsPage: { autoscale_pools: [{ id: LB_ID, name: 'web' }], ...page },
  poolMembersPage: { droplets: [{ droplet_id: 1, status: 'active' }], ...page },
};

/** Every text and number of a value. */
function expectSound(value: unknown): void {
  const pending = [value];
  for (let count = 0; pending.length > 0 && count < 500_000; count += 1) {
    const one = pending.pop();
    if (typeof one === 'number') expectThat(Number.isFinite(one), `a number is ${one}`);
    else if (typeof one === 'string') expectThat(isSafeLine(one), `a text is ${JSON.stringify(one)}`);
    else if (typeof one === 'object' && one !== null) pending.push(...Object.values(one));
  }
}

const names = Object.keys(BODIES) as (keyof typeof BODIES)[];

export const apiSchemas = target({
  name: 'api-answers',
  runs: 500,
  inputs: fc
    .constantFrom(...names)
    .chain((name) => fc.tuple(fc.constant(name), spoiledData(fc.constant(BODIES[name])))),
  check([name, body]) {
    const { success, data } = answers[name].safeParse(body);
    if (success) expectSound(data);
  },
});

const CALLS: ((cloud: Cloud) => Promise<unknown>)[] = [
  (cloud) => cloud.listLoadBalancers(),
  (cloud) => cloud.getLoadBalancer(LB_ID),
  (cloud) => cloud.listDroplets({ tag: 'web' }),
  (cloud) => cloud.getDroplet(1),
  (cloud) => cloud.addDroplets(LB_ID, [1]),
  (cloud) => cloud.removeDroplets(LB_ID, [1]),
  (cloud) => cloud.listAutoscalePools(),
  (cloud) => cloud.listPoolMembers(LB_ID),
  (cloud) => cloud.listTags('web'),
  (cloud) => cloud.createTag('web'),
  (cloud) => cloud.deleteTag('web'),
  (cloud) => cloud.untagDroplets('web', [1]),
  (cloud) => cloud.firewallsWithTag('web'),
  (cloud) => cloud.listFirewalls(),
  (cloud) => cloud.missingScopes(['tag:read', 'sizes:read', 'regions:read']),
  (cloud) => cloud.registryLogin('acme', 3_600),
];

/** Requests that one call may make: those of a list have a bound of their own, and each is tried again a few times. */
const MAX_REQUESTS = 2_000;

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const TOKEN = 'dop_v1_0123456789abcdef';
const replies = fc.array(
  fc.record({
    status: fc.constantFrom(200, 200, 200, 200, 204, 202, 301, 400, 401, 403, 404, 422, 429, 500, 503),
    headers: fc.dictionary(
      fc.constantFrom(
        'ratelimit-remaining',
        'ratelimit-reset',
        'ratelimit-limit',
        'retry-after',
        'content-type',
        'location',
        'date',
        'x-request-id',
      ),
      hostileWord.map((word) => word.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')),
      { maxKeys: 3 },
    ),
    body: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...names).chain((name) => spoiledJson(fc.constant(BODIES[name]))) },
      {
        weight: 1,
        arbitrary: spoiledJson(fc.constant({ ...errorBody('forbidden', `no ${TOKEN} scope`), errors: [] })),
      },
      { weight: 1, arbitrary: fc.constant('<html><title>proxy</title></html>') },
    ),
  }),
  { minLength: 1, maxLength: 3 },
);

let reply: () => Reply = () => ({ status: 500, headers: {}, body: '' });
let listening: Promise<string> | undefined;

function apiUrl(): Promise<string> {
  listening ??= new Promise((resolve) => {
    const server = createServer((_, response) => {
      const { status, headers, body } = reply();
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
    });
    server.listen(0, '127.0.0.1', () => {
      server.unref();
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v2`);
    });
  });
  return listening;
}

export const apiClient = target({
  name: 'api-client',
  runs: 30,
  inputs: fc.tuple(fc.constantFrom(...CALLS.keys()), replies),
  async check([index, given]) {
    let now = 1_700_000_000_000;
    let requests = 0;
    reply = () => given[requests++ % given.length] as Reply;
    const clock = {
      now: () => now,
      sleep: async (ms: number) => {
        expectThat(ms < 24 * 3_600_000, `it waits for ${ms} ms`);
        now += ms;
      },
    };
    const cloud = createDigitalOceanCloud({ token: new Secret(TOKEN), apiUrl: await apiUrl(), clock });
    try {
      expectSound(await CALLS[index]?.(cloud));
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      const words = `${error.message} ${error.hint}`;
      expectThat(isSafeLine(words), `the message is ${JSON.stringify(words)}`);
      expectThat(!words.includes(TOKEN) && words.length < 5_000, `the message is ${words}`);
    } finally {
      expectThat(requests <= MAX_REQUESTS, `it made ${requests} requests`);
      expectThat(now - 1_700_000_000_000 < 2 * 3_600_000, `it waited for ${now - 1_700_000_000_000} ms`);
    }
  },
});
