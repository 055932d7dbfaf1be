/** Two replicas behind a proxy on one droplet, under load. Each test leaves both on one release. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { expectNoFailures } from './fleet-state.js';
import { when } from './moments.js';
import { edit } from './refusal.js';
import { type CommandEnd, SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const REPLICA = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: for compose
  image: 'docker.io/example/shop:${IMAGE_TAG}',
  healthcheck: {
    test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:3000/healthz'],
    ...{ interval: '300ms', timeout: '2s', retries: 5, start_period: '1s' },
  },
};

const NGINX = `events {}
http {
  upstream app { server web:3000; server web2:3000; }
  server {
    listen 80;
    location / { proxy_pass http://app; proxy_next_upstream error timeout http_503; }
  }
}
`;

let fleet: SandboxFleet;

const write = (path: string, value: unknown) => writeFile(join(fleet.folder, path), stringify(value));

async function settings(replicas: unknown, rollout: unknown = {}): Promise<void> {
  await edit(fleet.folder, 'config/deploy.yml', (text) => {
    const { environments: _, ...rest } = parse(text) as Record<string, unknown>;
    const droplet = fleet.region.droplet('web-1').id;
    return stringify({ ...rest, rollout, environments: { sandbox: { droplet, replicas } } });
  });
}

beforeAll(async () => {
  // The balancer only brings the load: do-deploy knows nothing of it.
  fleet = await SandboxFleet.start({ droplets: 1 });
  const proxy = join(fleet.region.droplet('web-1').home, 'proxy');
  await mkdir(proxy);
  await writeFile(join(proxy, 'nginx.conf'), NGINX);
  const nginx = {
    image: 'docker.io/library/nginx:1.27-alpine',
    ports: ['80:80'],
    // Not of the release: the proxy stays the same container.
    volumes: [`${proxy}/nginx.conf:/etc/nginx/nginx.conf:ro`],
    depends_on: ['web', 'web2'],
  };
  await write('compose/docker-compose.yml', { services: { web: REPLICA, web2: REPLICA, nginx } });
  await write('compose/docker-compose.sandbox.yml', { services: {} });
  await settings({ services: ['web', 'web2'], timeout: '20s' });
  const first = await deploy('v1');
  expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
});
afterAll(() => fleet.stop());

const deploy = (release: string) => fleet.run(['deploy', 'sandbox', release, '--yes', '--json']);

interface Running {
  version: string;
  id: string;
}

function running(): Record<string, Running> {
  const containers = fleet.region
    .droplet('web-1')
    .engine.containers()
    .filter(({ running: runs }) => runs);
  return Object.fromEntries(
    containers.map(({ service, id, spec }) => {
      const version = spec.image.env.find((one) => one.startsWith('SHOP_VERSION='))?.replace('SHOP_VERSION=', '') ?? '';
      return [service, { version, id }];
    }),
  );
}

function expectBoth(version: string): void {
  const { web, web2 } = running();
  expect([web?.version, web2?.version]).toEqual([version, version]);
  expect(fleet.region.world.unknownRequests).toEqual([]);
  expect(fleet.region.droplet('web-1').unimplemented).toEqual([]);
}

async function underLoad(release: string): Promise<CommandEnd> {
  const load = fleet.load();
  const end = await deploy(release);
  expectNoFailures(await load.stop());
  return end;
}

describe('replicas', { shuffle: false }, () => {
  it('are switched one after the other, and the proxy stays: no request fails', async () => {
    const before = running();
    const end = await underLoad('v2');
    expect(end, end.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expectBoth('v2');
    expect(running().nginx?.id).toBe(before.nginx?.id);
  });

  it('of which the first fails: the second is never touched, and the first goes back', async () => {
    const before = running();
    const end = await underLoad('broken');
    expect(end, end.stdout).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expectBoth('v2');
    expect(running().web2?.id, 'web2 is the same container').toBe(before.web2?.id);
    expect(running().web?.id).not.toBe(before.web?.id);
  });

  it('of which the second fails: both go back, the one that serves last', async () => {
    const broken = 'wget -q -O /dev/null http://127.0.0.1:3000/no-such-page';
    const healthcheck = { ...REPLICA.healthcheck, test: ['CMD-SHELL', broken] };
    await write('compose/docker-compose.sandbox.yml', { services: { web2: { healthcheck } } });
    const end = await underLoad('v1');
    expect(end, end.stdout).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expectBoth('v2');
    await write('compose/docker-compose.sandbox.yml', { services: {} });
  });

  it.each(['heal', 'deploy'])('of a run that was killed between them end on one release: %s', async (command) => {
    const before = running();
    const run = fleet.start(['deploy', 'sandbox', 'v1', '--yes', '--json']);
    await when(
      run,
      (event) => event.type === 'step-progress' && event.step === 'switch',
      () => run.child.kill('SIGKILL'),
    );
    await run.ended;
    expect((await fleet.run(['status', 'sandbox', '--check'])).code).toBe(4);
    const load = fleet.load();
    const end = command === 'heal' ? await fleet.run(['heal', 'sandbox', '--json']) : await deploy('v1');
    expectNoFailures(await load.stop());
    expect(end, end.stdout).toMatchObject({ code: 0 });
    const { web, web2 } = running();
    expect(web?.version).toBe(web2?.version);
    expect(running().nginx?.id).toBe(before.nginx?.id);
    if (command === 'deploy') expectBoth('v1');
  });

  it('go back together with a rollback', async () => {
    expect(await deploy('v2')).toMatchObject({ code: 0 });
    const load = fleet.load();
    const end = await fleet.run(['rollback', 'sandbox', '--yes', '--json']);
    expectNoFailures(await load.stop());
    expect(end, end.stdout).toMatchObject({ code: 0 });
    expectBoth('v1');
  });

  it('that nobody could verify are refused while staging, with their line', async () => {
    await write('compose/docker-compose.sandbox.yml', { services: { web2: { healthcheck: { disable: true } } } });
    const end = await deploy('v2');
    expect(end).toMatchObject({ code: 2, result: { error: { code: 'replica-unchecked' } } });
    expect(end.result?.error?.message).toMatch(
      /^compose\/docker-compose\.sandbox\.yml:\d+: service web2 is one of the replicas, and has no healthcheck\.$/,
    );
    expectBoth('v1');
    await settings({ services: ['web', 'web2'] }, { health: { http: { port: 80, path: '/healthz' } } });
    const asked = await underLoad('v2');
    expect(asked, asked.stdout).toMatchObject({ code: 0 });
    expectBoth('v2');
  });

  it('that are in no compose file are refused before anything is contacted', async () => {
    await settings({ services: ['web', 'web3'] });
    const end = await deploy('v1');
    expect(end.code).toBe(2);
    expect(end.stdout + end.stderr).toContain('the service web3 is in no compose file');
  });
});
