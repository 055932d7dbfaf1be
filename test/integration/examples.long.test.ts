/**
 * The projects in examples/, deployed to a sandbox: their settings, files, layers, roles and replicas as they are, their images
 * and what the stand-ins do not know replaced.
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { COMPOSE, type ComposeFile, copyExample, EXAMPLES, removeAll, rewrite } from '../support/example-projects.js';
import { expectNoFailures } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

type Settings = Record<string, unknown> & { layers?: Record<string, Record<string, unknown>> };

const QUICK = { interval: '300ms', timeout: '2s', retries: 10, start_period: '1s' };
const HEALTHCHECK = { test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:3000/healthz'], ...QUICK };

const PROXY = `events {}
http {
  upstream app { server web:3000; server web2:3000; }
  server {
    listen 80;
    location / { proxy_pass http://app; proxy_next_upstream error timeout http_503; }
  }
}
`;

const STATIC = `events {}
http { server { listen 80; location = /healthz { return 200 "ok"; } location / { return 200 "shop"; } } }
`;

/** Images of the example become the sandbox's; keys that its Docker does not know are left out. */
function withStandIns(compose: ComposeFile, proxy: string): ComposeFile {
  const { configs: _, services, ...rest } = compose;
  const changed = Object.entries(services).map(([name, service]) => {
    const { command, configs, ports, healthcheck, ...kept } = service;
    const image = String(service.image);
    const isNginx = image.includes('/nginx:');
    const isCaddy = image.includes('/caddy:');
    const published = (ports as string[] | undefined)?.filter((port) => !port.startsWith('443'));
    return [
      name,
      {
        ...kept,
        ...(published && { ports: published }),
        ...(healthcheck !== undefined && {
          healthcheck: isNginx ? { ...(healthcheck as object), ...QUICK } : HEALTHCHECK,
        }),
        ...(!isNginx &&
          !image.startsWith('registry.digitalocean.com/') && { image: `docker.io/example/shop:\${IMAGE_TAG}` }),
        ...(isCaddy && {
          image: 'docker.io/library/nginx:1.27-alpine',
          volumes: [`${proxy}:/etc/nginx/nginx.conf:ro`],
          depends_on: ['web', 'web2'],
        }),
      },
    ];
  });
  return { ...rest, services: Object.fromEntries(changed) };
}

/** Where the example runs in the sandbox. */
function targetOf(name: string, fleet: SandboxFleet): Record<string, unknown> {
  const droplet = fleet.region.droplet('web-1').id;
  if (name === 'single-caddy') return { droplet, replicas: { services: ['web', 'web2'], timeout: '20s' } };
  if (name === 'rails-sidekiq') return { droplet, profiles: ['web', 'worker'] };
  return { load_balancer: fleet.region.balancerName };
}

function prepare(name: string, fleet: SandboxFleet): string {
  const folder = mkdtempSync(join(tmpdir(), `do-deploy-${name}-`));
  onTestFinished(() => removeAll(folder));
  copyExample(name, folder);
  const proxy = join(fleet.region.droplet('web-1').home, 'proxy');
  mkdirSync(proxy);
  writeFileSync(join(proxy, 'nginx.conf'), PROXY);
  rewrite<ComposeFile>(folder, COMPOSE, (compose) => withStandIns(compose, join(proxy, 'nginx.conf')));
  rewrite<Settings>(folder, 'config/deploy.yml', ({ registry, layers, environments: _, ...rest }) => ({
    ...rest,
    ...(layers && {
      layers: { ...layers, ...(layers.migrate && { migrate: { ...layers.migrate, command: 'migrate' } }) },
    }),
    ...(typeof registry === 'object' && registry !== null && 'digitalocean' in registry && { registry }),
    api_url: fleet.region.api.url,
    ssh: { user: 'root', config: fleet.region.sshConfigPath, host_keys: 'strict' },
    environments: { sandbox: targetOf(name, fleet) },
  }));
  for (const file of ['nginx/nginx.conf']) {
    const path = join(folder, 'config', file);
    if (name === 'static') writeFileSync(path, STATIC);
    if (name === 'django') writeFileSync(path, readFileSync(path, 'utf8').replace('app:8000', 'app:3000'));
  }
  writeFileSync(join(folder, 'config/.env.sandbox'), 'SECRET_KEY=not-a-secret-in-the-sandbox\n', { mode: 0o600 });
  return folder;
}

describe.each(EXAMPLES)('examples/%s', (name) => {
  it('is deployed, and deployed again under load', async () => {
    const fleet = await SandboxFleet.start({ droplets: name === 'single-caddy' || name === 'rails-sidekiq' ? 1 : 2 });
    onTestFinished(() => fleet.stop());
    fleet.region.world.registries.set('acme', 'b7d03a6947b217efb6f3ec3bd3504582');
    const folder = prepare(name, fleet);
    const deploy = (release: string, ...words: string[]) =>
      fleet.run(['sandbox', release, '--yes', '--json', ...words], {
        cwd: folder,
        env: { DO_TOKEN: fleet.region.api.token },
      });
    const first = await deploy('v1', '--allow-downtime');
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    // One droplet without replicas has nothing that serves meanwhile.
    const isWhole = name !== 'rails-sidekiq';
    const load = fleet.load();
    const second = await deploy('v2', ...(isWhole ? [] : ['--allow-downtime']));
    const served = await load.stop();
    expect(second, second.stdout + second.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    if (isWhole) expectNoFailures(served);
    const check = await fleet.run(['status', 'sandbox', '--check'], {
      cwd: folder,
      env: { DO_TOKEN: fleet.region.api.token },
    });
    expect(check, check.stdout).toMatchObject({ code: 0 });
  });
});
