import { describe, expect, it } from 'vitest';
import { checkCompose, missingFile, type ReleaseContents } from '../../../src/deploy/staging/check-compose.js';

const ID = '20261121T074500Z-v2';
const ROOT = `/root/do-deploy/shop/releases/${ID}.partial`;
const RELEASE: ReleaseContents = {
  id: ID,
  files: ['compose/docker-compose.yml', 'config/nginx/nginx.conf', 'public/index.html'],
  shared: [],
  prepared: false,
  build: false,
};

const bind = (source: string, more: object = {}) => ({
  type: 'bind',
  source,
  target: '/data',
  bind: { create_host_path: true },
  ...more,
});
const project = (service: object, top: object = {}) =>
  JSON.stringify({ name: 'shop', services: { app: { image: 'shop:v2', ...service } }, ...top });
const check = (service: object, top?: object, release: Partial<ReleaseContents> = {}) =>
  checkCompose(project(service, top), { ...RELEASE, ...release });
const codes = (...args: Parameters<typeof check>) => check(...args).problems.map(({ code, file }) => `${code} ${file}`);

describe('a bind mount', () => {
  it.each([
    ['a folder', 'data'],
    ['a folder of the project', 'config/nginx'],
    ['a file of the project', 'config/nginx/nginx.conf'],
    ['the whole release', ''],
  ])('of %s that the container can write is refused', (_name, path) => {
    const { problems } = check({ volumes: [bind(`${ROOT}${path && '/'}${path}`)] });
    expect(problems).toMatchObject([
      { code: 'compose-writable-bind', service: 'app', file: path, at: ['services', 'app', 'volumes', '/data'] },
    ]);
    expect(problems[0]?.remedy).toMatch(/named volume or an absolute path/);
  });

  it('of what all releases share is allowed, also below it', () => {
    const shared = { shared: ['data/', 'secrets/.htpasswd'] };
    for (const path of ['data', 'data/uploads', 'secrets/.htpasswd']) {
      const volumes = [
        bind(`${ROOT}/${path}`),
        bind(`${ROOT}/.view/${path}`),
        bind(`${ROOT}/${path}`, { read_only: true }),
      ];
      expect(check({ volumes }, {}, shared).problems).toEqual([]);
    }
    expect(codes({ volumes: [bind(`${ROOT}/database`), bind(`${ROOT}/secrets`)] }, {}, shared)).toEqual([
      'compose-writable-bind database',
      'compose-writable-bind secrets',
    ]);
    expect(check({}, { secrets: { htpasswd: { file: `${ROOT}/secrets/.htpasswd` } } }, shared).problems).toEqual([]);
  });

  it('of a file of the project that the container may only read is the first remedy', () => {
    const [problem] = check({ volumes: [bind(`${ROOT}/config/nginx/nginx.conf`)] }).problems;
    expect(problem?.remedy).toMatch(/^If the container only reads it, mount it read-only \(`:ro`\)/);
    const [other] = check({ volumes: [bind(`${ROOT}/data`)] }).problems;
    expect(other?.remedy).not.toContain(':ro');
  });

  it('of files of the project is accepted read-only', () => {
    const volumes = ['config/nginx/nginx.conf', 'config/nginx', 'public', ''].map((path) =>
      bind(`${ROOT}/${path}`, { read_only: true }),
    );
    expect(codes({ volumes })).toEqual([]);
  });

  it('of a folder that is not in the release is refused read-only too, with what to add', () => {
    const { problems } = check({ volumes: [bind(`${ROOT}/static`, { read_only: true })] });
    expect(problems).toMatchObject([
      { code: 'compose-file-missing', file: 'static', remedy: 'Add `static/` to files: in config/deploy.yml.' },
    ]);
    expect(problems[0]?.message).toBe("service app mounts static at /data, which is not among the release's files");
  });

  it('of a file that `prepare:` may create is accepted read-only', () => {
    expect(codes({ volumes: [bind(`${ROOT}/static`, { read_only: true })] }, {}, { prepared: true })).toEqual([]);
    expect(codes({ volumes: [bind(`${ROOT}/static`)] }, {}, { prepared: true })).toHaveLength(1);
  });

  it('is found in a folder of links within the staged release', () => {
    expect(codes({ volumes: [bind(`${ROOT}/.view/data`), bind(`${ROOT}/.view`)] })).toEqual([
      'compose-writable-bind data',
      'compose-writable-bind ',
    ]);
  });

  it('of an absolute path on the droplet is accepted, and must exist only if Docker does not create it', () => {
    const { problems, needs } = check({
      volumes: [bind('/srv/data'), { type: 'bind', source: '/srv/other', target: '/other' }],
    });
    expect(problems).toEqual([]);
    expect(needs.paths).toMatchObject([{ path: '/srv/other', what: 'service app' }]);
  });
});

describe('volumes and other mounts', () => {
  it('are accepted', () => {
    const volumes = [
      { type: 'volume', source: 'uploads', target: '/uploads' },
      { type: 'tmpfs', target: '/run' },
      { type: 'volume', target: '/anonymous' },
    ];
    expect(codes({ volumes }, { volumes: { uploads: { name: 'shop_uploads' } } })).toEqual([]);
  });

  it('are refused if the local driver binds them into the release', () => {
    const driver_opts = { type: 'none', o: 'bind', device: `${ROOT}/data` };
    expect(codes({}, { volumes: { data: { name: 'shop_data', driver_opts } } })).toEqual([
      'compose-writable-bind data',
    ]);
  });
});

describe('what cannot start', () => {
  const port = (published: string, more = {}) => ({ target: 80, published, protocol: 'tcp', ...more });
  const services = (all: Record<string, object>) =>
    checkCompose(JSON.stringify({ services: all }), RELEASE).problems.map(({ code, message }) => `${code}: ${message}`);

  it('is a service whose replicas would have one name', () => {
    const named = { container_name: 'shop' };
    expect(codes({ ...named, scale: 1 })).toEqual([]);
    expect(codes({ ...named, deploy: { replicas: 2 } })).toEqual(['container-name-replicas undefined']);
    expect(codes({ ...named, scale: 1, deploy: { replicas: 2 } })).toEqual([]);
  });

  it('is a service whose replicas would have one port; a range is for all of them', () => {
    expect(services({ app: { scale: 2, ports: [port('8080')] } })).toEqual([
      'compose-port-clash: service app has 2 replicas, and only one of them can have port 8080/tcp',
    ]);
    expect(services({ app: { scale: 2, ports: [port('8080-8081')] } })).toEqual([]);
    expect(services({ app: { scale: 2, ports: [{ target: 80 }] } })).toEqual([]);
  });

  it('is a port that two services publish at the same address', () => {
    const clash = ['compose-port-clash: services web and api both publish port 80/tcp'];
    const both = (one: object, other: object) =>
      services({ web: { ports: [port('80', one)] }, api: { ports: [port('80', other)] } });
    expect(both({}, {})).toEqual(clash);
    expect(both({ host_ip: '127.0.0.1' }, {})).toEqual(clash);
    expect(both({ host_ip: '0.0.0.0' }, { host_ip: '10.0.0.2' })).toEqual(clash);
    expect(both({ host_ip: '127.0.0.1' }, { host_ip: '10.0.0.2' })).toEqual([]);
    expect(both({ host_ip: '0.0.0.0' }, { host_ip: '::' })).toEqual([]);
    expect(both({}, { protocol: 'udp' })).toEqual([]);
  });

  it('is not one whose ports are free by then, or that does not run', () => {
    const done = { app: { condition: 'service_completed_successfully' } };
    expect(services({ web: { ports: [port('80')], depends_on: done }, app: { ports: [port('80')] } })).toEqual([]);
    expect(services({ web: { ports: [port('80')] }, app: { ports: [port('80')], scale: 0 } })).toEqual([]);
  });
});

describe('files of secrets, configs and builds', () => {
  it('are named if they are not in the release', () => {
    const top = {
      secrets: { db: { name: 'shop_db', file: `${ROOT}/db_password.txt` }, env: { name: 'e', environment: 'X' } },
      configs: { site: { name: 'shop_site', file: `${ROOT}/config/site` }, inline: { name: 'i', content: 'x' } },
    };
    expect(check({}, top).problems).toMatchObject([
      { file: 'db_password.txt', remedy: 'Add `db_password.txt` to files: in config/deploy.yml.' },
      { file: 'config/site', at: ['configs', 'site', 'file'] },
    ]);
    expect(codes({}, top, { files: ['db_password.txt', 'config/site/a'] })).toEqual([]);
  });

  it('must exist on the droplet if they are absolute', () => {
    const { needs } = check({}, { secrets: { db: { name: 'db', file: '/etc/shop/db' } } });
    expect(needs.paths).toEqual([{ path: '/etc/shop/db', what: 'secret db', at: ['secrets', 'db', 'file'] }]);
  });

  it('are named for builds only if images are built', () => {
    const build = { context: `${ROOT}/app`, dockerfile: 'Dockerfile' };
    expect(codes({ build })).toEqual([]);
    expect(codes({ build }, {}, { build: true })).toEqual(['compose-file-missing app']);
    expect(codes({ build }, {}, { build: true, files: ['app/Dockerfile'] })).toEqual([]);
  });
});

describe('needs', () => {
  it('are external networks and volumes, and names of containers', () => {
    const { needs, problems } = check(
      { container_name: 'shop' },
      {
        networks: { default: { name: 'shop_default' }, proxy: { name: 'proxy', external: true } },
        volumes: { db: { name: 'legacy_db', external: true } },
      },
    );
    expect(problems).toEqual([]);
    expect(needs).toEqual({
      networks: [{ name: 'proxy', at: ['networks', 'proxy'] }],
      volumes: [{ name: 'legacy_db', at: ['volumes', 'db'] }],
      containers: [{ name: 'shop', service: 'app', at: ['services', 'app', 'container_name'] }],
      paths: [],
    });
  });

  it('are none for a configuration that is not understood', () => {
    expect(checkCompose('{"services": 7}', RELEASE)).toEqual({
      problems: [],
      needs: { networks: [], volumes: [], containers: [], paths: [] },
    });
  });
});

describe("compose's message", () => {
  it.each([
    [
      `env file ${ROOT}/config/app.env not found: stat ${ROOT}/config/app.env: no such file or directory`,
      'config/app.env',
    ],
    [`open ${ROOT}/compose/other.yml: no such file or directory`, 'compose/other.yml'],
    [`stat ${ROOT}/.view/x/.env: no such file or directory`, 'x/.env'],
    [`Couldn't find env file: ${ROOT}/config/no.env`, 'config/no.env'],
    [`open ${ROOT}/compose/other.yml: permission denied`, undefined],
    ['open /etc/other.yml: no such file or directory', undefined],
    ['yaml: line 3: mapping values are not allowed in this context', undefined],
  ])('%s', (stderr, path) => {
    expect(missingFile(`time="x" level=warning msg="y"\n${stderr}\n`, { id: ID })).toBe(path);
  });
});
