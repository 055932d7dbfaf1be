import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Fleet } from './lab/fleet.js';
import type { Machine } from './lab/machine.js';
import { REGISTRY } from './lab/region.js';

/** nginx reads names once: with fixed addresses, a new container is found where the old one was. */
const SUBNET = '172.30.7';
const ADDRESSES = { web: `${SUBNET}.11`, web2: `${SUBNET}.12` };

const NGINX = `events {}
http {
  access_log off;
  upstream app {
    server ${ADDRESSES.web}:3000 max_fails=0;
    server ${ADDRESSES.web2}:3000 max_fails=0;
  }
  proxy_connect_timeout 300ms;
  server {
    listen 80;
    location = / { proxy_pass http://app/cgi-bin/page; }
    location = /slow { proxy_pass http://app/cgi-bin/slow; }
    location = /healthz { return 200 ok; }
  }
}
`;

function replica(address: string) {
  return {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: for compose
    image: '${APP_IMAGE}:${IMAGE_TAG}',
    init: true,
    restart: 'unless-stopped',
    healthcheck: {
      test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:3000/healthz'],
      ...{ interval: '1s', timeout: '2s', retries: 4, start_period: '2s' },
    },
    networks: { default: { ipv4_address: address } },
  };
}

const COMPOSE = {
  services: {
    web: replica(ADDRESSES.web),
    web2: replica(ADDRESSES.web2),
    proxy: {
      image: `${REGISTRY}/nginx:1`,
      restart: 'unless-stopped',
      ports: ['80:80'],
      // Not of the release, which has a new folder each time: the proxy stays the same container.
      volumes: ['/etc/shop-proxy/nginx.conf:/etc/nginx/nginx.conf:ro'],
    },
  },
  networks: { default: { ipam: { config: [{ subnet: `${SUBNET}.0/24` }] } } },
};

describe('two replicas behind a proxy on one droplet', { shuffle: false }, () => {
  let fleet: Fleet;
  let machine: Machine;
  beforeAll(async () => {
    // The balancer takes no part: the load goes to the proxy on the droplet.
    fleet = await Fleet.start({ droplets: 1 });
    machine = fleet.machine('web-1');
    await machine.must(`mkdir -p /etc/shop-proxy && cat >/etc/shop-proxy/nginx.conf <<'CONF'\n${NGINX}CONF`);
    await fleet.project.write('compose/docker-compose.yml', stringify(COMPOSE));
    await fleet.project.write('compose/docker-compose.production.yml', 'services: {}\n');
    const [droplet] = fleet.world.droplets.keys();
    const replicas = { services: ['web', 'web2'], timeout: '30s' };
    await fleet.project.configure({ environments: { production: { droplet, replicas } } });
    const first = await fleet.deploy('v1');
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
  });
  afterAll(() => fleet.stop());

  const load = () => fleet.load({ url: `http://${machine.privateAddress}` });

  /** By service: the version that it answers with, and its container. */
  async function running() {
    const script = `for service in web web2; do
      docker ps --filter label=com.docker.compose.service=$service --format '{{.ID}} {{.Image}}' | sed "s/^/$service /"
    done; docker exec "$(docker ps -q --filter label=com.docker.compose.service=web)" cat /version
    docker exec "$(docker ps -q --filter label=com.docker.compose.service=web2)" cat /version
    docker ps -q --filter label=com.docker.compose.service=proxy`;
    const [web, web2, version, version2, proxy] = (await machine.must(script)).trim().split('\n');
    return { ids: [web?.split(' ')[1], web2?.split(' ')[1]], versions: [version, version2], proxy };
  }

  it('are switched one after the other: no request fails, and the proxy stays', async () => {
    const before = await running();
    const requests = load();
    const end = await fleet.deploy('v2');
    const report = await requests.stop();
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(report.total).toBeGreaterThan(50);
    const after = await running();
    expect(after.versions).toEqual(['v2', 'v2']);
    expect(after.proxy).toBe(before.proxy);
  });

  it('of which the first fails: it goes back, the second is never touched, and no request fails', async () => {
    const before = await running();
    const requests = load();
    const end = await fleet.deploy('broken');
    const report = await requests.stop();
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(end.result?.rows).toMatchObject([{ outcome: 'reverted' }]);
    expect(report).toMatchObject({ failed: 0, failures: [] });
    const after = await running();
    expect(after.versions).toEqual(['v2', 'v2']);
    expect(after.ids[1], 'web2 is the same container').toBe(before.ids[1]);
    expect(after.proxy).toBe(before.proxy);
  });

  it('of a run that was killed between them: heal brings both to one release, and no request fails', async () => {
    const run = fleet.startDeploy('v3');
    await run.event((event) => event.type === 'step-progress' && event.step === 'switch');
    run.child.kill('SIGKILL');
    await run.ended;
    const requests = load();
    const end = await fleet.run(['heal', 'production', '--json']);
    const report = await requests.stop();
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0 });
    expect(report).toMatchObject({ failed: 0, failures: [] });
    const { versions } = await running();
    expect(versions[0]).toBe(versions[1]);
  });
});
