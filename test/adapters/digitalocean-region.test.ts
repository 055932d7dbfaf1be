/** The adapter against the sandbox's region: both sides of the API, written from its description, must agree. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createDigitalOceanCloud } from '../../src/adapters/digitalocean-cloud.js';
import { Secret } from '../../src/config/secret.js';
import type { OnTrace } from '../../src/ports.js';
import type { BalancerRecord } from '../../src/sandbox/records.js';
import { type Bench, startBench, TOKEN } from '../sandbox/api-client.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { failureOf } from './digitalocean-fixtures.js';

const TAG = 'do-deploy:out:production';

let region: Bench;
let balancer: BalancerRecord;
let ids: number[];
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock({ realIo: true });
  region = await startBench();
  ids = [1, 2, 3].map((number) => region.world.addDroplet({ name: `web-${number}` }).id);
  balancer = region.world.addBalancer({ name: 'web', dropletIds: ids });
});
afterEach(() => region.api.stop());

function cloud(options: { token?: string; onTrace?: OnTrace; requestTimeoutMs?: number } = {}) {
  const { token = TOKEN, ...rest } = options;
  return createDigitalOceanCloud({ token: new Secret(token), apiUrl: region.api.url, clock, ...rest });
}

it('reads the region', async () => {
  const [first] = await clock.run(cloud().listLoadBalancers());
  expect(first).toEqual(await clock.run(cloud().getLoadBalancer(balancer.id)));
  expect(first).toMatchObject({ name: 'web', status: 'active', dropletIds: ids, targetPorts: [80] });
  const droplets = await clock.run(cloud().listDroplets());
  expect(droplets.map(({ name }) => name)).toEqual(['web-1', 'web-2', 'web-3']);
  expect(droplets[0]).toEqual(await clock.run(cloud().getDroplet(ids[0] ?? 0)));
  expect(droplets[0]?.publicAddress).not.toBe(droplets[0]?.privateAddress);
});

it('finds every droplet of a large account', async () => {
  for (let count = 0; count < 250; count++) region.world.addDroplet();
  expect(await clock.run(cloud().listDroplets())).toHaveLength(253);
  expect(region.api.log).toHaveLength(2);
});

it('removes a droplet and adds it again', async () => {
  await clock.run(cloud().removeDroplets(balancer.id, ids.slice(0, 1)));
  expect((await clock.run(cloud().getLoadBalancer(balancer.id))).dropletIds).toEqual(ids.slice(1));
  await clock.run(cloud().addDroplets(balancer.id, ids.slice(0, 1)));
  expect((await clock.run(cloud().getLoadBalancer(balancer.id))).dropletIds.toSorted()).toEqual(ids.toSorted());
});

it('keeps a ledger in tags', async () => {
  const first = ids.slice(0, 1);
  expect((await failureOf(clock, cloud().tagDroplets(TAG, first))).error.kind).toBe('not-found');
  await clock.run(cloud().createTag(TAG));
  await clock.run(cloud().createTag(TAG));
  await clock.run(cloud().tagDroplets(TAG, first));
  const out = await clock.run(cloud().listDroplets({ tag: TAG }));
  expect(out.map(({ id, tags }) => ({ id, tags }))).toEqual([{ id: ids[0], tags: [TAG] }]);
  await clock.run(cloud().untagDroplets(TAG, first));
  expect(await clock.run(cloud().listDroplets({ tag: TAG }))).toEqual([]);
});

it('gets a login to a registry, of a team with one or with several, and names the scopes that it lacks', async () => {
  region.world.registries.set('acme', 'b7d03a6947b217ef');
  const auth = await clock.run(cloud().registryLogin('acme', 3_600));
  expect(Buffer.from(auth, 'base64').toString()).toBe('b7d03a6947b217ef:b7d03a6947b217ef');
  const older = await clock.run(cloud().registryLogin('unknown-there', 3_600));
  expect(older).toBe(auth);
  region.world.registries.clear();
  expect((await failureOf(clock, cloud().registryLogin('acme', 3_600))).error).toMatchObject({
    kind: 'not-found',
    hint: expect.stringContaining("the token's team has no registry acme"),
  });
  expect((await failureOf(clock, cloud().registryLogin('../droplets', 3_600))).error.kind).toBe('unprocessable');
});

it('keeps anchors in tags of the account', async () => {
  const names = Array.from({ length: 205 }, (_, index) => `do-deploy:release:shop:production:${index + 1}:a`);
  for (const name of names) region.world.createTag(name);
  region.world.createTag('web');
  const listed = await clock.run(cloud().listTags('do-deploy:release:'));
  expect(listed.toSorted()).toEqual(names.toSorted());
  await clock.run(cloud().deleteTag(names[0] ?? ''));
  await clock.run(cloud().deleteTag(names[0] ?? ''));
  expect(await clock.run(cloud().listTags('do-deploy:release:'))).toHaveLength(204);
});

it('names the firewalls that share a tag', async () => {
  region.world.addFirewall({ name: 'web-only', tags: ['web'] });
  region.world.addFirewall({ name: 'other', tags: ['db'] });
  expect(await clock.run(cloud().firewallsWithTag('web'))).toEqual([{ name: 'web-only', how: 'applies' }]);
});

it('lists firewalls with what they apply to, and whom they admit', async () => {
  region.world.addFirewall({ name: 'web-only', tags: ['web'], dropletIds: [7] });
  const inbound = [{ ports: { from: 80, to: 80 }, addresses: ['0.0.0.0/0', '::/0'], balancerIds: [] }];
  expect(await clock.run(cloud().listFirewalls())).toEqual([
    { name: 'web-only', tags: ['web'], dropletIds: [7], inbound },
  ]);
});

it('tells the read scopes that the token lacks, and only those that were asked about', async () => {
  const readable = ['droplet:read', 'tag:read', 'regions:read', 'sizes:read', 'vpc:read', 'image:read', 'actions:read'];
  expect(await clock.run(cloud().missingScopes([...readable, 'tag:create']))).toEqual([]);
  await region.api.stop();
  region = await startBench({ tokens: [{ token: TOKEN, scopes: ['droplet:read', 'sizes:read', 'image:read'] }] });
  // Sizes cannot be listed without regions:read: that says nothing of sizes:read.
  const missing = ['tag:read', 'regions:read', 'vpc:read', 'actions:read'];
  expect(await clock.run(cloud().missingScopes([...readable, 'tag:create']))).toEqual(missing);
  expect(await clock.run(cloud().missingScopes(['droplet:read', 'vpc:read']))).toEqual(['vpc:read']);
  expect(region.api.log.filter(({ method }) => method !== 'GET')).toEqual([]);
  expect((await failureOf(clock, cloud({ token: 'wrong' }).missingScopes(['tag:read']))).error.kind).toBe(
    'unauthorized',
  );
});

it('lists autoscale pools and their droplets, from every page', async () => {
  expect(await clock.run(cloud().listAutoscalePools())).toEqual([]);
  const made = Array.from({ length: 201 }, () => region.world.addDroplet({ pool: 'web-pool' }).id);
  region.world.addDroplet({ pool: 'web-pool', status: 'new' });
  region.world.addDroplet({ pool: 'other' });
  const [pool, other] = await clock.run(cloud().listAutoscalePools());
  expect([pool?.name, other?.name]).toEqual(['web-pool', 'other']);
  expect(await clock.run(cloud().listPoolMembers(pool?.id ?? ''))).toEqual(made);
});

it('reports failures of pools like any other', async () => {
  const gone = await failureOf(clock, cloud().listPoolMembers('0d3db13e-a604-4944-9827-7ec2642d32ac'));
  expect(gone.error).toMatchObject({ kind: 'not-found', hint: expect.stringContaining('autoscale_pool') });
  const wrong = await failureOf(clock, cloud({ token: 'wrong' }).listAutoscalePools());
  expect(wrong.error).toMatchObject({ kind: 'unauthorized' });
  expect(JSON.stringify(wrong.error)).not.toContain('wrong"');
  region.api.faults.add({ on: { path: 'autoscale', nth: 1 }, do: { status: 503 } });
  expect(await clock.run(cloud().listAutoscalePools()), 'and is repeated').toEqual([]);
});

it('cannot add by id to a balancer that a tag manages', async () => {
  const tagged = region.world.addBalancer({ name: 'tagged', tag: 'web' });
  expect((await clock.run(cloud().getLoadBalancer(tagged.id))).tag).toBe('web');
  const { error } = await failureOf(clock, cloud().addDroplets(tagged.id, ids.slice(0, 1)));
  expect(error).toMatchObject({ kind: 'unprocessable', outcome: 'not-applied' });
});

it('waits while the balancer is busy', async () => {
  region.world.timing.busyMs = 3_000;
  const patient = cloud({ onTrace: ({ what }) => void (what.endsWith('403') && region.clock.turn(1_500)) });
  await clock.run(patient.removeDroplets(balancer.id, ids.slice(0, 1)));
  await clock.run(patient.removeDroplets(balancer.id, ids.slice(1, 2)));
  expect((await clock.run(patient.getLoadBalancer(balancer.id))).dropletIds).toEqual(ids.slice(2));
});

it('connects directly, whatever proxy the environment names', async () => {
  for (const name of ['http_proxy', 'HTTP_PROXY']) vi.stubEnv(name, 'http://127.0.0.1:1');
  try {
    expect(await clock.run(cloud().listLoadBalancers())).toHaveLength(1);
    expect(await clock.run(cloud().listAutoscalePools())).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
  }
});

it('reports a wrong token', async () => {
  expect((await failureOf(clock, cloud({ token: 'wrong' }).getDroplet(1))).error.kind).toBe('unauthorized');
});

it('reports a change without a reply as unknown, although it was applied', async () => {
  region.api.faults.add({ on: { method: 'DELETE', nth: 1 }, do: 'lose-reply' });
  const { error } = await failureOf(clock, cloud().removeDroplets(balancer.id, ids.slice(0, 1)));
  expect(error).toMatchObject({ kind: 'network', outcome: 'unknown' });
  expect((await clock.run(cloud().getLoadBalancer(balancer.id))).dropletIds).toEqual(ids.slice(1));
});

it('recognises the page of a proxy', async () => {
  region.api.faults.add({ on: { method: 'GET' }, do: 'html' });
  expect((await failureOf(clock, cloud().getLoadBalancer(balancer.id))).error.kind).toBe('invalid-answer');
});
