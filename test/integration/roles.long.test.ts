/** An environment with two roles: web droplets behind the balancer, and workers by tag. Each test leaves both whole. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { expectNoFailures } from './fleet-state.js';
import { begins, when } from './moments.js';
import { type CommandEnd, SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const TAG = 'shop-worker';
const WEB = ['web-1', 'web-2'];
const WORKERS = ['web-3', 'web-4'];
const ROLES = {
  web: { load_balancer: '', profiles: ['web'] },
  worker: {
    tag: TAG,
    profiles: ['worker'],
    batch: '50%',
    env: { QUEUE: { required: true } },
    files: ['config/.env.worker'],
  },
};

let fleet: SandboxFleet;

async function edit(path: string, change: (value: Record<string, unknown>) => object): Promise<void> {
  const file = join(fleet.folder, path);
  await writeFile(file, stringify(change(parse(await readFile(file, 'utf8')))));
}

async function settings(production: object): Promise<void> {
  await edit('config/deploy.yml', (all) => ({ ...all, environments: { sandbox: production } }));
}

/** The worker of the compose files. */
async function worker(more: object = {}): Promise<void> {
  const check = { test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:3000/healthz'] };
  const healthcheck = { ...check, interval: '300ms', retries: 3, start_period: '1s' };
  await edit('compose/docker-compose.sandbox.yml', () => ({
    services: {
      app: { profiles: ['web'], healthcheck: { interval: '500ms', start_period: '1s' } },
      nginx: { profiles: ['web'], healthcheck: { interval: '500ms', start_period: '1s' } },
      worker: {
        image: 'docker.io/example/shop:$IMAGE_TAG',
        profiles: ['worker'],
        environment: ['QUEUE=$QUEUE'],
        healthcheck,
        ...more,
      },
    },
  }));
}

beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 4 });
  const { world, balancerId, balancerName } = fleet.region;
  const ids = WORKERS.map((name) => fleet.region.droplet(name).id);
  world.removeFromBalancer(balancerId, ids);
  world.createTag(TAG);
  world.tagDroplets(TAG, ids);
  ROLES.web.load_balancer = balancerName;
  await worker();
  await writeFile(join(fleet.folder, 'config/.env.worker'), 'QUEUE=mail\n');
  await settings({ roles: ROLES });
  const first = await deploy('v1', '--allow-downtime');
  expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
});
afterAll(() => fleet.stop());

const command = (...words: string[]) => fleet.run([...words, '--json']);
const deploy = (release: string, ...more: string[]) => command('deploy', 'sandbox', release, '--yes', ...more);

/** The services that run on the droplet, each with its version. */
function runs(name: string): Record<string, string> {
  const running = fleet.region
    .droplet(name)
    .engine.containers()
    .filter((container) => container.running);
  return Object.fromEntries(
    running.map(({ spec, service }) => [
      service,
      spec.image.env.find((one) => one.startsWith('SHOP_VERSION='))?.replace('SHOP_VERSION=', '') ?? '',
    ]),
  );
}

/** What each droplet runs, that all serve, and that nothing is recorded. */
function expectRoles(web: string, workers = web): void {
  const { world, balancerId } = fleet.region;
  for (const name of WEB) expect(runs(name), name).toEqual({ app: web, nginx: expect.any(String) });
  for (const name of WORKERS) {
    expect(runs(name), name).toEqual({ worker: workers });
    const [container] = fleet.region.droplet(name).engine.containers();
    expect(container?.spec.env.QUEUE, name).toBe('mail');
    expect(filesOn(name)).toContain('config/.env.worker');
  }
  for (const name of WEB) expect(filesOn(name)).not.toContain('config/.env.worker');
  const { shown } = world.balancer(balancerId);
  expect([...WEB, ...WORKERS].map((name) => shown.has(fleet.region.droplet(name).id))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  for (const name of [...WEB, ...WORKERS]) {
    const { id, home } = fleet.region.droplet(name);
    const tags = [...(world.droplets.get(id)?.tags ?? [])].filter((tag) => tag.startsWith('do-deploy:out'));
    expect({ name, tags, out: existsSync(join(home, 'do-deploy/shop/out.json')) }).toEqual({
      name,
      tags: [],
      out: false,
    });
  }
  expect(world.unknownRequests).toEqual([]);
  expect([...fleet.region.droplets.values()].flatMap((droplet) => droplet.unimplemented)).toEqual([]);
}

const order = ({ events }: CommandEnd) =>
  events.flatMap((event) => (event.type === 'batch-started' ? [event.droplets.join()] : []));

const recordOn = (name: string) =>
  JSON.parse(readFileSync(join(fleet.region.droplet(name).home, 'do-deploy/shop/current/release.json'), 'utf8'));

/** Paths that the current release consists of. */
const filesOn = (name: string) =>
  readFileSync(join(fleet.region.droplet(name).home, 'do-deploy/shop/current/SHA256SUMS'), 'utf8');

describe('roles', { shuffle: false }, () => {
  it('get one release role by role, each with its profiles, and no request fails', async () => {
    expectRoles('v1');
    const load = fleet.load();
    const end = await deploy('v2');
    expectNoFailures(await load.stop());
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(order(end)).toEqual(['web-1', 'web-2', 'web-3', 'web-4']);
    expect(end.result?.summary).toBe('web: All 2 droplets are in rotation. worker: All 2 droplets run.');
    expect(end.result?.rows.map(({ name, role, outcome }) => [name, role, outcome])).toEqual([
      ...WEB.map((name) => [name, 'web', 'deployed']),
      ...WORKERS.map((name) => [name, 'worker', 'deployed']),
    ]);
    expect(end.events.find(({ type }) => type === 'rollout-started')).toMatchObject({
      target: expect.stringMatching(/^web: load balancer .*, worker: tag "shop-worker"$/),
    });
    expectRoles('v2');
    const [web, jobs] = [recordOn('web-1'), recordOn('web-3')];
    expect([web.id === jobs.id, web.profiles, jobs.profiles]).toEqual([true, ['web'], ['worker']]);
    expect(Object.keys(jobs.images)).toEqual(['worker']);
    expect(await deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });

  it('are shown in one table, with one history, and none of them differs', async () => {
    const status = await fleet.run(['status', 'sandbox']);
    expect(status.stdout).toMatch(/DROPLET +ROLE /);
    expect(status.stdout).toMatch(/web-1 +web .*healthy[\s\S]*web-4 +worker .*healthy/);
    const check = await fleet.run(['status', 'sandbox', '--check']);
    expect(check, check.stdout).toMatchObject({ code: 0 });
    const history = await fleet.run(['history', 'sandbox']);
    expect(history.stdout.match(/ deploy /g)).toHaveLength(2);
    expect((await fleet.run(['lock', 'status', 'sandbox'])).stdout).toMatch(/web-1[\s\S]*web-4/);
  });

  it('go back together, and forth again', async () => {
    const back = await command('rollback', 'sandbox', '--yes');
    expect(back, back.stdout).toMatchObject({ code: 0 });
    expectRoles('v1');
    expect(await deploy('v2')).toMatchObject({ code: 0 });
    expectRoles('v2');
  });

  it('a worker that fails stops there, or takes back the web as well', async () => {
    await worker({
      healthcheck: {
        test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:9/'],
        interval: '300ms',
        retries: 2,
      },
    });
    const stopped = await deploy('v3');
    expect(stopped, stopped.stdout).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(order(stopped)).toEqual(['web-1', 'web-2', 'web-3']);
    expectRoles('v3', 'v2');
    const check = await fleet.run(['status', 'sandbox', '--check']);
    expect(check, check.stdout).toMatchObject({ code: 4 });
    const [before, failed] = [recordOn('web-3').id, recordOn('web-1').id];
    const back = `do-deploy rollback sandbox ${before}`;
    expect(stopped.result?.summary).toContain(`The fleet is on 2 releases: web runs ${failed}; worker runs ${before}.`);
    expect(stopped.result?.next).toBe(back);
    expect(check.stdout).toContain(`shop: sandbox, release ${before}\n`);
    expect(check.stdout).toContain(`web runs ${failed}, worker runs ${before}. To bring all to ${before}: ${back}\n`);
    expect(check.stdout).not.toMatch(/No droplet runs|adopt/);
    const rolledBack = await command('rollback', 'sandbox', '--yes');
    expect(rolledBack, rolledBack.stdout).toMatchObject({ code: 0 });
    expectRoles('v2');

    await settings({ roles: ROLES, rollout: { on_failure: 'revert-fleet' } });
    const load = fleet.load();
    const end = await deploy('v1');
    expectNoFailures(await load.stop());
    expect(end, end.stdout).toMatchObject({ code: 1, result: { outcome: 'failed', error: { droplet: 'web-3' } } });
    expect(order(end)).toEqual(['web-1', 'web-2', 'web-3', 'web-1', 'web-2']);
    expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual([
      'reverted',
      'reverted',
      'reverted',
      'not deployed',
    ]);
    expectRoles('v2');
    await worker();
    await settings({ roles: ROLES });
  });

  it('a web that fails leaves the workers alone', async () => {
    const end = await deploy('broken');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(order(end)).toEqual(['web-1']);
    expectRoles('v2');
  });

  it('of a run that was killed in the second role are healed, and continued', async () => {
    const run = fleet.start(['deploy', 'sandbox', 'v3', '--yes', '--json']);
    await when(run, begins('health', 'web-3'), () => run.child.kill('SIGKILL'));
    await run.ended;
    const check = await fleet.run(['status', 'sandbox', '--check']);
    expect(check.code).toBe(4);
    expect(check.stdout).toMatch(/web-3.*recorded as being changed[\s\S]*do-deploy heal sandbox/);
    const healed = await fleet.run(['heal', 'sandbox', '--json'], { cwd: await fleet.freshCheckout() });
    expect(healed, healed.stdout).toMatchObject({ code: 0 });
    const end = await deploy('v3');
    expect(end, end.stdout).toMatchObject({ code: 0 });
    expectRoles('v3');
  });

  it('of which a droplet has left its tag, or the balancer, are not whole', async () => {
    const { world, balancerId } = fleet.region;
    const [worker, web] = [fleet.region.droplet('web-4').id, fleet.region.droplet('web-2').id];
    world.untagDroplets(TAG, [worker]);
    world.removeFromBalancer(balancerId, [web]);
    const check = await fleet.run(['status', 'sandbox', '--check']);
    expect(check, check.stdout).toMatchObject({ code: 4 });
    expect(check.stdout).toMatch(/web-2: is no longer behind load balancer/);
    expect(check.stdout).toMatch(/web-4: no longer has the tag "shop-worker"/);
    world.tagDroplets(TAG, [worker]);
    world.addToBalancer(balancerId, [web]);
    expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
  });

  it('a worker that joins is adopted with the profiles of its role', async () => {
    await fleet.region.addDroplet({ name: 'web-5', tags: [TAG] });
    const adopted = await command('adopt', 'sandbox');
    expect(adopted, adopted.stdout).toMatchObject({ code: 0 });
    expect(order(adopted)).toEqual(['web-5']);
    expect(runs('web-5')).toEqual({ worker: 'v3' });
    fleet.region.world.untagDroplets(TAG, [fleet.region.droplet('web-5').id]);
    expectRoles('v3');
  });

  it('are refused where a droplet has two of them, and canaries are', async () => {
    const { world } = fleet.region;
    world.tagDroplets(TAG, [fleet.region.droplet('web-2').id]);
    const end = await deploy('v1');
    expect(end).toMatchObject({ code: 2, result: { error: { code: 'role-overlap' } } });
    expect(end.result?.error?.message).toBe('web-2 has two roles: web and worker.');
    world.untagDroplets(TAG, [fleet.region.droplet('web-2').id]);
    for (const part of [['--canary'], ['--droplets', 'web-1']]) {
      expect(await deploy('v1', ...part)).toMatchObject({ code: 2, result: { error: { code: 'canary-of-roles' } } });
    }
    expect(await command('promote', 'sandbox', '--yes')).toMatchObject({
      result: { error: { code: 'canary-of-roles' } },
    });
    expectRoles('v3');
  });

  it('of which one is off as a whole: nothing is deployed, and heal still repairs the others', async () => {
    const records = WORKERS.map((name) => fleet.region.world.droplets.get(fleet.region.droplet(name).id));
    for (const record of records) if (record) record.status = 'off';
    const end = await deploy('v1', '--skip-unreachable');
    expect(end).toMatchObject({ code: 1, result: { error: { code: 'role-unreachable' } } });
    const healed = await command('heal', 'sandbox');
    expect(healed, healed.stdout).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    for (const record of records) if (record) record.status = 'active';
    expectRoles('v3');
  });
});
