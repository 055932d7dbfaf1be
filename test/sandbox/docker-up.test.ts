import { describe, expect, it } from 'vitest';
import { checked, DockerLab, SHOP_CHECK, UP } from './docker-lab.js';
import { eventually } from './eventually.js';

const shop = (tag: string, more = '') => `services:
  app:
    image: example/shop:${tag}
    ${SHOP_CHECK}
    ${more}
`;

describe('docker compose up', () => {
  it('starts a service, which answers with its version', async () => {
    const lab = new DockerLab();
    expect((await lab.up(shop('v2'))).code).toBe(0);
    await lab.until('app', ({ health }) => health?.status === 'healthy');
    const answer = await lab.get('app', 3000, '/');
    expect(answer.body).toBe('shop v2\n');
    expect(answer.headers.get('x-version')).toBe('v2');
  });

  it('keeps unchanged containers and recreates changed ones', async () => {
    const lab = new DockerLab();
    const two = (env: string) => `services:
  app: { image: 'example/shop:v1', environment: { A: '${env}' } }
  other: { image: 'example/shop:v1' }
`;
    await lab.up(two('1'));
    const before = [lab.container('app').id, lab.container('other').id];
    await lab.up(two('1'));
    expect([lab.container('app').id, lab.container('other').id]).toEqual(before);
    await lab.up(two('2'));
    expect(lab.container('app').id).not.toBe(before[0]);
    expect(lab.container('other').id).toBe(before[1]);
    expect((await lab.get('app', 3000, '/env?name=A')).body).toBe('2\n');
  });

  it('changes only the services that are named, without those that they depend on', async () => {
    const lab = new DockerLab();
    const three = (tag: string) => `services:
  app: { image: 'example/shop:${tag}', depends_on: [other] }
  other: { image: 'example/shop:${tag}' }
  ${tag === 'v1' ? "gone: { image: 'example/shop:v1' }" : ''}
`;
    await lab.up(three('v1'));
    const before = ['app', 'other', 'gone'].map((name) => lab.container(name).id);
    lab.write('compose.yml', three('v2'));
    await lab.compose(['pull', '--quiet']);
    const only = (name: string) => ['up', '--detach', '--no-build', '--pull', 'never', '--no-deps', name];
    expect(await lab.compose(only('app'))).toMatchObject({ code: 0 });
    const after = ['app', 'other', 'gone'].map((name) => lab.container(name).id);
    expect(after.map((id, index) => id === before[index])).toEqual([false, true, true]);
    expect(await lab.compose(only('nobody'))).toMatchObject({
      code: 1,
      stderr: 'no such service: nobody\n',
    });
  });

  it('recreates a container whose tag has moved to another image', async () => {
    const lab = new DockerLab();
    await lab.up(shop('latest'));
    const before = lab.container('app').id;
    lab.registry.moveTag('docker.io/example/shop', 'latest', 'v2');
    // Without a pull the local tag still names the old image.
    await lab.compose(UP);
    expect(lab.container('app').id).toBe(before);
    await lab.up(shop('latest'));
    expect(lab.container('app').id).not.toBe(before);
    expect((await lab.get('app', 3000, '/')).body).toBe('shop v2\n');
  });

  it('requires its images to be local', async () => {
    const lab = new DockerLab();
    await lab.up(shop('v1'));
    const before = lab.container('app').id;
    lab.write('compose.yml', shop('v2'));
    expect(await lab.compose(UP)).toMatchObject({
      code: 1,
      stderr: 'Error response from daemon: No such image: example/shop:v2\n',
    });
    expect(lab.container('app').id).toBe(before);
    expect(lab.container('app').status).toBe('running');
  });

  it('runs images by digest and by id', async () => {
    const lab = new DockerLab();
    await lab.pull('example/shop:v2');
    const local = lab.engine.images.mustFind('example/shop:v2');
    const [digest = ''] = local.digests;
    expect((await lab.up(`services:\n  app: { image: '${digest}' }\n`)).code).toBe(0);
    lab.write('compose.yml', `services:\n  app: { image: '${local.image.id}' }\n`);
    expect((await lab.compose(UP)).code).toBe(0);
    expect(lab.container('app').spec.image.id).toBe(local.image.id);
  });

  it('removes orphans of its own project only', async () => {
    const lab = new DockerLab();
    await lab.up('services:\n  app: { image: "example/shop:v1" }\n  gone: { image: "example/shop:v1" }\n');
    await lab.docker(['compose', '-p', 'another', '-f', 'compose.yml', ...UP]);
    lab.write('compose.yml', 'services:\n  app: { image: "example/shop:v1" }\n');
    await lab.compose(UP);
    expect(
      lab.engine
        .containers()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['another-app-1', 'another-gone-1', 'lab-app-1']);
  });

  it('leaves services whose profile is off as they are, like compose', async () => {
    const lab = new DockerLab();
    lab.write('compose.yml', 'services:\n  app: { image: nginx }\n  jobs: { image: nginx, profiles: [worker] }\n');
    const names = () => lab.engine.containers().map(({ name }) => name);
    expect(await lab.compose(['pull', '--quiet'], { env: { COMPOSE_PROFILES: 'worker' } })).toMatchObject({ code: 0 });
    expect(await lab.compose(UP)).toMatchObject({ code: 0 });
    expect(names()).toEqual(['lab-app-1']);
    expect(await lab.compose(UP, { env: { COMPOSE_PROFILES: 'worker' } })).toMatchObject({ code: 0 });
    await lab.compose(UP);
    expect(names().sort()).toEqual(['lab-app-1', 'lab-jobs-1']);
  });

  it('scales up and down', async () => {
    const lab = new DockerLab();
    const names = () =>
      lab.engine
        .containers()
        .map(({ name }) => name)
        .sort();
    await lab.up('services:\n  app: { image: "example/shop:v1", deploy: { replicas: 3 } }\n');
    expect(names()).toEqual(['lab-app-1', 'lab-app-2', 'lab-app-3']);
    const first = lab.container('app').id;
    await lab.up('services:\n  app: { image: "example/shop:v1", scale: 1 }\n');
    expect(names()).toEqual(['lab-app-1']);
    expect(lab.container('app').id).toBe(first);
  });

  it('cuts the connections of a container that it replaces', async () => {
    const lab = new DockerLab();
    await lab.up(shop('v1'));
    const port = lab.container('app').portOf(3000);
    const slow = fetch(`http://127.0.0.1:${port}/slow?ms=60000`).then(
      () => 'answered',
      () => 'cut',
    );
    // The request is in when the health of the app has been asked once more after it.
    await eventually(() => lab.container('app').log.length).toBeGreaterThan(2);
    await lab.up(shop('v2'));
    expect(await slow).toBe('cut');
  });

  it('keeps named volumes of removed services', async () => {
    const lab = new DockerLab();
    await lab.up('services:\n  app:\n    image: example/shop:v1\n    volumes: ["data:/data"]\nvolumes:\n  data:\n');
    const [mount] = lab.container('app').spec.mounts;
    expect(mount).toMatchObject({ type: 'volume', name: 'lab_data', target: '/data' });
    await lab.up('services:\n  other: { image: "example/shop:v1" }\n');
    expect((await lab.docker(['volume', 'ls', '-q'])).stdout).toBe('lab_data\n');
  });

  it('refuses a port that another container publishes', async () => {
    const lab = new DockerLab();
    const { code, stderr } = await lab.up(`services:
  one: { image: 'example/shop:v1', ports: ['80:3000'] }
  two: { image: 'example/shop:v1', ports: ['127.0.0.1:80:3000'], depends_on: [one] }
`);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /driver failed programming external connectivity on endpoint lab-two-1 \(\w{64}\): Bind for 127.0.0.1:80 failed: port is already allocated/,
    );
    expect(lab.container('one').status).toBe('running');
    expect(lab.container('two')).toMatchObject({
      status: 'created',
      error: expect.stringContaining('already allocated'),
    });
  });

  it('creates a folder for a missing bind mount, which cannot be mounted over a file', async () => {
    const lab = new DockerLab();
    const { code, stderr } = await lab.up(
      'services:\n  web:\n    image: nginx\n    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]\n',
    );
    expect(code).toBe(1);
    expect(stderr).toContain('Are you trying to mount a directory onto a file (or vice-versa)?');
  });

  it("refuses bind mounts outside the droplet's folder", async () => {
    const lab = new DockerLab();
    const { code, stderr } = await lab.up('services:\n  app:\n    image: example/shop:v1\n    volumes: ["/etc:/x"]\n');
    expect(code).toBe(125);
    expect(stderr).toContain('bind mount of /etc, which is outside');
  });

  it('stops between two steps when its client is gone', async () => {
    const lab = new DockerLab();
    await lab.pull('example/shop:broken', 'nginx');
    const gone = new AbortController();
    lab.write(
      'compose.yml',
      `services:
  app: { image: 'example/shop:broken', ${checked('[CMD, curl, -f, "http://localhost:3000/healthz"]', ', start_period: 1h')} }
  web: { image: nginx, depends_on: { app: { condition: service_healthy } } }
`,
    );
    const result = lab.compose(UP, { signal: gone.signal });
    await eventually(() => lab.container('app').status).toBe('running');
    gone.abort();
    expect((await result).code).toBe(130);
    expect(lab.container('web').status).toBe('created');
  });
});

describe('depends_on', () => {
  const dependent = (app: string, condition: string) => `services:
  web: { image: nginx, depends_on: { app: { condition: ${condition} } } }
  app: ${app}
`;

  it('starts a service when its dependency is healthy', async () => {
    const lab = new DockerLab();
    expect((await lab.up(dependent(`{ image: 'example/shop:v1', ${SHOP_CHECK} }`, 'service_healthy'))).code).toBe(0);
    expect(lab.container('app').health?.status).toBe('healthy');
    expect(lab.container('web').status).toBe('running');
  });

  it.each([
    [
      'is unhealthy',
      `{ image: 'example/shop:broken', ${SHOP_CHECK} }`,
      'service_healthy',
      'dependency failed to start: container lab-app-1 is unhealthy',
    ],
    [
      'has exited',
      `{ image: 'example/shop:exits', ${SHOP_CHECK} }`,
      'service_healthy',
      'dependency failed to start: container lab-app-1 exited (3)',
    ],
    [
      'has no healthcheck',
      "{ image: 'example/shop:v1' }",
      'service_healthy',
      'dependency failed to start: container lab-app-1 has no healthcheck configured',
    ],
    [
      'did not complete',
      "{ image: 'example/shop:migrate-fails' }",
      'service_completed_successfully',
      'service "app" didn\'t complete successfully: exit 1',
    ],
  ])('does not start a service whose dependency %s', async (_what, app, condition, said) => {
    const lab = new DockerLab();
    const { code, stderr } = await lab.up(dependent(app, condition));
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`${said.replace(/[()]/g, '\\$&')}\n$`));
    expect(lab.container('web').status).toBe('created');
  });

  it('waits for a one-shot service, which runs again at the next up', async () => {
    const lab = new DockerLab();
    const compose = dependent("{ image: 'example/shop:migrate' }", 'service_completed_successfully');
    expect((await lab.up(compose)).code).toBe(0);
    expect(lab.container('app')).toMatchObject({ status: 'exited', exitCode: 0 });
    const firstRun = lab.container('app').startedAt ?? 0;
    expect((await lab.compose(UP)).code).toBe(0);
    expect(lab.container('app').startedAt).toBeGreaterThan(firstRun);
  });
});
