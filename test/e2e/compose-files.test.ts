import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';
import { pushFor } from './lab/registry.js';

const EXTRA = 'compose/docker-compose.extra.yml';
const COMPOSE = ['compose/docker-compose.yml', 'compose/docker-compose.production.yml', EXTRA];
const FILES = ['config/.env.common', 'config/.env.{environment}', 'config/nginx/'];
const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };

/** Two droplets that all tests share. */
let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

/** The fleet, with another compose file that a test can write. */
function fleetWithExtra(settings: Record<string, unknown> = {}) {
  beforeEach(async () => {
    await fleet.project.write(EXTRA, '{}\n');
    await fleet.project.configure({ compose: COMPOSE, files: FILES, ...settings });
    fleet.balancer.watchServing();
  });

  return {
    get fleet() {
      return fleet;
    },
    deploy: async (extra: string, release = 'v2') => {
      await fleet.project.write(EXTRA, extra);
      return await fleet.deploy(release);
    },
    deployAtOnce: async (extra: string, release = 'v2') => {
      await fleet.project.write(EXTRA, extra);
      return await fleet.deployAtOnce(release);
    },
    /** Deploys, and expects a refusal before anything has left rotation. Returns its message and hint. */
    refusalOf: async (extra: string, code: string, release = 'v2') => {
      const before = await fleet.versions();
      await fleet.project.write(EXTRA, extra);
      const end = await fleet.deploy(release);
      expect(end).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code, source: 'user' } } });
      expect(end.events.filter(({ type }) => type === 'batch-started')).toEqual([]);
      expect(fleet.balancer.fewestServing).toBe(2);
      expect(await fleet.versions()).toEqual(before);
      return { message: end.result?.error?.message ?? '', hint: end.result?.error?.hint ?? '' };
    },
    /** Runs a script on every droplet; returns what each has printed. */
    everywhere: (script: string) => Promise.all(fleet.machines.map((machine) => machine.must(script))),
  };
}

describe('a release is refused while staging if', () => {
  const lab = fleetWithExtra();

  it('a container could write to its folder', async () => {
    const { message, hint } = await lab.refusalOf(
      "services:\n  app:\n    volumes: ['../data:/data']\n",
      'compose-writable-bind',
    );
    expect(message).toMatch(
      /^compose\/docker-compose\.extra\.yml:3: service app can write to data \(mounted at \/data\)/,
    );
    expect(hint).toContain('named volume or an absolute path');
  });

  it.each([
    ['a mounted folder', "services:\n  app:\n    volumes: ['../public:/www:ro']\n", 'public/', `${EXTRA}:3`],
    [
      'a secret',
      'services: { app: { secrets: [db] } }\nsecrets: { db: { file: ../db.txt } }\n',
      'db.txt',
      `${EXTRA}:2`,
    ],
    ['a config', 'services: { app: { configs: [c] } }\nconfigs: { c: { file: ../c.conf } }\n', 'c.conf', `${EXTRA}:2`],
    ['an env file', 'services: { app: { env_file: ../config/app.env } }\n', 'config/app.env', ''],
    ['an included file', 'include: [other.yml]\n', 'compose/other.yml', ''],
    ['an extended file', 'services: { app: { extends: { file: base.yml, service: x } } }\n', 'compose/base.yml', ''],
  ])('%s is not among its files', async (_name, extra, file, place) => {
    const { message, hint } = await lab.refusalOf(extra, 'compose-file-missing');
    expect(message).toContain("is not among the release's files");
    expect(message.startsWith(place), message).toBe(true);
    expect(hint).toBe(`Add \`${file}\` to files: in config/deploy.yml.`);
  });

  it('external networks and volumes do not exist, with the commands that create them', async () => {
    const extra = `services: { app: { networks: [default, proxy], volumes: ['shared:/shared'] } }
networks: { proxy: { external: true } }
volumes: { shared: { external: true } }
`;
    const { message, hint } = await lab.refusalOf(extra, 'compose-network-missing');
    expect(message).toMatch(/the external network proxy does not exist on web-[12]/);
    expect(message).toMatch(/the external volume shared does not exist on web-[12]/);
    const commands = hint.match(/docker (network|volume) create \w+/g) ?? [];
    expect(commands).toEqual(['docker network create proxy', 'docker volume create shared']);
    await lab.everywhere(commands.join('; '));
    expect(await lab.deployAtOnce(extra)).toMatchObject(DEPLOYED);
  });

  it('a container of another project has the name of one of its own', async () => {
    const name = 'shop-worker';
    const image = "$(docker inspect --format '{{.Image}}' shop-app-1)";
    await lab.everywhere(`docker create --name ${name} --label com.docker.compose.project=legacy ${image}`);
    const extra = `services:\n  worker:\n    image: \${APP_IMAGE}:\${IMAGE_TAG}\n    container_name: ${name}\n`;
    const { message, hint } = await lab.refusalOf(extra, 'container-name-taken');
    expect(message).toContain(
      `${EXTRA}:4: the container name ${name} of service worker is taken by the compose project legacy`,
    );
    expect(hint).toMatch(new RegExp(`^Run: ssh .* docker rm -f ${name}\\. Or change container_name\\.$`));
    await lab.everywhere(`docker rm -f ${name}`);
  });

  it('an image is for another processor', async () => {
    await pushFor('arm64', 'for-arm', 'v2');
    const { message, hint } = await lab.refusalOf('{}\n', 'image-architecture', 'for-arm');
    expect(message).toMatch(/shop:for-arm is built for arm64, but web-[12] is amd64\.$/);
    expect(hint).toContain('docker buildx build --platform linux/amd64');
  });
});

describe('what all releases share', { shuffle: false }, () => {
  const lab = fleetWithExtra({ shared: ['data/', 'keys/token'], keep_releases: 2 });
  const extra = "services:\n  app:\n    volumes: ['../data:/data', '../keys/token:/run/token:ro']\n";

  it('is refused while a file of it is missing, with a command that puts it there', async () => {
    const { message, hint } = await lab.refusalOf(extra, 'shared-file-missing');
    expect(message).toMatch(/^web-[12] has no ~\/do-deploy\/shop\/shared\/keys\/token/);
    expect(hint).toMatch(
      /^Put it there: ssh .* 'mkdir -p do-deploy\/shop\/shared\/keys && cat >do-deploy\/shop\/shared\/keys\/token' <keys\/token$/,
    );
  });

  it('keeps what containers write through deploys, a rollback and the removal of old releases', async () => {
    await lab.everywhere(
      'mkdir -p /root/do-deploy/shop/shared/keys && printf secret >/root/do-deploy/shop/shared/keys/token',
    );
    expect(await lab.deployAtOnce(extra, 'v2')).toMatchObject(DEPLOYED);
    const write = "docker exec shop-app-1 sh -c 'cat /run/token; echo kept >/data/photo'";
    expect(await lab.everywhere(write)).toEqual(['secret', 'secret']);
    for (const release of ['v3', 'v1', 'v2']) {
      await lab.fleet.project.write('config/nginx/round.conf', `# ${release}\n`);
      expect(await lab.deployAtOnce(extra, release)).toMatchObject(DEPLOYED);
      expect(await lab.everywhere('docker exec shop-app-1 cat /data/photo')).toEqual(['kept\n', 'kept\n']);
    }
    const back = await lab.fleet.run(['rollback', 'production', '--yes', '--json', '--allow-downtime']);
    expect(back).toMatchObject(DEPLOYED);
    const look = 'ls /root/do-deploy/shop/releases | wc -l; cat /root/do-deploy/shop/shared/data/photo';
    for (const text of await lab.everywhere(look)) expect(text).toBe('2\nkept\n');
    expect(await lab.everywhere('docker exec shop-app-1 cat /data/photo')).toEqual(['kept\n', 'kept\n']);
  });
});

describe('a release is deployed', () => {
  const lab = fleetWithExtra();

  it('with the folder that it mounts read-only, with secrets and configs from its files', async () => {
    await lab.fleet.project.write('public/index.html', 'hello\n');
    await lab.fleet.project.write('db.txt', 'not-a-secret\n', 0o600);
    await lab.fleet.project.configure({ compose: COMPOSE, files: [...FILES, 'public/', 'db.txt'] });
    const extra = `services:
  app:
    volumes: ['../public:/www/public:ro']
    secrets: [db]
    configs: [greeting]
secrets: { db: { file: ../db.txt } }
configs: { greeting: { content: "costs 5 $$\\n" } }
`;
    expect(await lab.deployAtOnce(extra)).toMatchObject(DEPLOYED);
    const read = 'docker exec shop-app-1 cat /www/public/index.html /run/secrets/db /greeting';
    expect(await lab.everywhere(read)).toEqual([
      'hello\nnot-a-secret\ncosts 5 $\n',
      'hello\nnot-a-secret\ncosts 5 $\n',
    ]);
  });

  it('with extensions, optional env files and a service of another name on the same port', async () => {
    const extra = `x-labels: &labels { team: web }
services:
  app: { env_file: [{ path: ../config/absent.env, required: false }] }
  nginx: !reset null
  proxy:
    image: \${NGINX_IMAGE}
    labels: *labels
    depends_on: { app: { condition: service_healthy } }
    ports: ['80:80']
    volumes: ['../config/nginx/nginx.conf:/etc/nginx/nginx.conf:ro']
`;
    const load = lab.fleet.load();
    expect(await lab.deploy(extra, 'v3')).toMatchObject(DEPLOYED);
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(await lab.fleet.versions()).toEqual(lab.fleet.all('v3'));
    expect(await lab.everywhere("docker ps --format '{{.Names}}' | sort")).toEqual([
      'shop-app-1\nshop-proxy-1\n',
      'shop-app-1\nshop-proxy-1\n',
    ]);
  });

  it('once, with a service without containers and one of a profile that is off', async () => {
    const image = `\${APP_IMAGE}:\${IMAGE_TAG}`;
    const extra = `services:
  idle: { image: '${image}', deploy: { replicas: 0 } }
  debug: { image: '${image}', profiles: [debug] }
`;
    expect(await lab.deployAtOnce(extra)).toMatchObject(DEPLOYED);
    expect(await lab.fleet.deployAtOnce('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await lab.fleet.run(['status', 'production', '--check'])).toMatchObject({ code: 0 });
  });

  it('although `up` was interrupted before, also if the real container is gone', async () => {
    const [web1, web2] = lab.fleet.machines;
    await web1?.must(LEFTOVER);
    await web2?.must(`${LEFTOVER}; docker rm -f shop-app-1`);
    expect(await lab.fleet.run(['heal', 'production', '--json'])).toMatchObject({ code: 0 });
    expect(await lab.deployAtOnce('{}\n', 'v3')).toMatchObject(DEPLOYED);
    expect(await lab.fleet.versions()).toEqual(lab.fleet.all('v3'));
    const names = "docker ps -a --format '{{.Names}}' | sort";
    expect(await lab.everywhere(names)).toEqual(['shop-app-1\nshop-nginx-1\n', 'shop-app-1\nshop-nginx-1\n']);
  });
});

/** What compose leaves if it is killed while it recreates the app: the new container under a temporary name. */
const LEFTOVER = `id=$(docker inspect --format '{{.Id}}' shop-app-1 | cut -c 1-12)
docker create --name "$id"_shop-app-1 --label com.docker.compose.project=shop --label com.docker.compose.service=app \\
  --label com.docker.compose.oneoff=False --label com.docker.compose.container-number=1 \\
  "$(docker inspect --format '{{.Image}}' shop-app-1)"`;

describe('a worker that needs 25 s to stop', () => {
  const lab = fleetWithExtra({ rollout: { health: { timeout: '15s' } } });

  it('is waited for, although health.timeout is shorter', async () => {
    const worker = (version: string) => `services:
  worker:
    image: \${APP_IMAGE}:\${IMAGE_TAG}
    environment: { STOP_SECONDS: 25, VERSION: worker-${version} }
    stop_grace_period: 60s
    restart: unless-stopped
`;
    expect(await lab.deployAtOnce(worker('1'))).toMatchObject(DEPLOYED);
    const load = lab.fleet.load();
    const end = await lab.deploy(worker('2'), 'v3');
    expect(end).toMatchObject(DEPLOYED);
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    const switches = end.events.flatMap((event) =>
      event.type === 'step-finished' && event.step === 'switch' ? [event.ms] : [],
    );
    for (const ms of switches) expect(ms).toBeGreaterThan(25_000);
    expect(switches).toHaveLength(2);
    expect(await lab.everywhere('docker inspect --format {{.State.ExitCode}} shop-worker-1')).toEqual(['0\n', '0\n']);
  });
});

describe('a release folder with files that do-deploy did not put there', () => {
  const lab = fleetWithExtra({ keep_releases: 2 });

  it('is kept and reported; others are removed', async () => {
    const [web1, web2] = lab.fleet.machines;
    const folder = '/root/do-deploy/shop';
    await web1?.must(`mkdir ${folder}/current/data && echo photo >${folder}/current/data/photo.jpg`);
    const [old] = await lab.everywhere(`basename "$(readlink ${folder}/current)"`);
    expect(await lab.deployAtOnce('{}\n', 'v2')).toMatchObject(DEPLOYED);
    const end = await lab.fleet.deployAtOnce('v3');
    expect(end).toMatchObject(DEPLOYED);
    expect(await web1?.must(`cat ${folder}/releases/${old?.trim()}/data/photo.jpg`)).toBe('photo\n');
    expect(await web2?.must(`ls ${folder}/releases`)).not.toContain(old?.trim());
    expect(end.events).toContainEqual(
      expect.objectContaining({ type: 'notice', droplet: 'web-1', message: expect.stringContaining('data/photo.jpg') }),
    );
  });
});
