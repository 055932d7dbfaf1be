import { describe, expect, it } from 'vitest';
import { checked, DockerLab, SHOP_CHECK } from './docker-lab.js';
import { eventually } from './eventually.js';

describe('a container', () => {
  it.each([
    ['crash', 1, false],
    ['oom', 137, true],
    ['exits', 3, false],
  ])("of %s is restarted repeatedly, with Docker's states", async (tag, exitCode, oomKilled) => {
    const lab = new DockerLab();
    await lab.up(`services:\n  app: { image: 'example/shop:${tag}', restart: unless-stopped }\n`);
    await lab.until('app', ({ status }) => status === 'restarting');
    const [shown] = JSON.parse((await lab.docker(['inspect', 'lab-app-1'])).stdout);
    expect(shown.State).toMatchObject({
      Status: 'restarting',
      Running: true,
      Restarting: true,
      Pid: 0,
      ExitCode: exitCode,
      OOMKilled: oomKilled,
    });
    await lab.until('app', ({ restartCount }) => restartCount >= 2);
  });

  it('stays down without a restart policy', async () => {
    const lab = new DockerLab();
    await lab.up("services:\n  app: { image: 'example/shop:exits' }\n");
    await lab.until('app', ({ status }) => status === 'exited');
    expect(lab.container('app')).toMatchObject({ exitCode: 3, restartCount: 0 });
  });

  it('gives up after on-failure:2, and is not restarted after success', async () => {
    const lab = new DockerLab();
    await lab.up(`services:
  app: { image: 'example/shop:exits', restart: 'on-failure:2' }
  job: { image: 'example/shop:migrate', restart: on-failure }
`);
    await lab.until('app', ({ status }) => status === 'exited');
    await lab.until('job', ({ status }) => status === 'exited');
    expect(lab.container('app').restartCount).toBe(2);
    expect(lab.container('job').restartCount).toBe(0);
  });

  it('becomes healthy with the first passing check', async () => {
    const lab = new DockerLab();
    await lab.up(`services:\n  app: { image: 'example/shop:v1', ${SHOP_CHECK} }\n`);
    expect(lab.container('app').health?.status).toBe('starting');
    await lab.until('app', ({ health }) => health?.status === 'healthy');
    const [shown] = JSON.parse((await lab.docker(['inspect', 'lab-app-1'])).stdout);
    expect(shown.State.Health).toMatchObject({
      Status: 'healthy',
      FailingStreak: 0,
      Log: [{ ExitCode: 0, Output: '' }],
    });
  });

  it('becomes unhealthy after `retries` failures, with the output of the checks', async () => {
    const lab = new DockerLab();
    const test = '[CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:3000/healthz"]';
    await lab.up(`services:\n  app: { image: 'example/shop:broken', ${checked(test, ', retries: 4')} }\n`);
    await lab.until('app', ({ health }) => health?.status === 'unhealthy');
    expect(lab.container('app').health?.log.map(({ exitCode, output }) => ({ exitCode, output }))).toEqual(
      Array.from({ length: 4 }, () => ({
        exitCode: 1,
        output: 'wget: server returned error: HTTP/1.1 503 Service Unavailable\n',
      })),
    );
    expect(lab.container('app').status).toBe('running');
  });

  it('can become unhealthy after it was healthy', async () => {
    const lab = new DockerLab();
    await lab.up(`services:\n  app: { image: 'example/shop:flaky', ${SHOP_CHECK} }\n`);
    await lab.until('app', ({ health }) => health?.status === 'healthy');
    await lab.until('app', ({ health }) => health?.status === 'unhealthy');
  });

  it('is not unhealthy during the start period', async () => {
    const lab = new DockerLab();
    const test = '[CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:3000/healthz"]';
    await lab.up(
      `services:\n  app: { image: 'example/shop:slow-start', ${checked(test, ', retries: 1, start_period: 60s')} }\n`,
    );
    const seen = new Set<string>();
    lab.container('app').on('change', () => seen.add(lab.container('app').health?.status ?? ''));
    await lab.until('app', ({ health }) => health?.status === 'healthy');
    expect(seen).toEqual(new Set(['healthy']));
  });

  it.each([
    ['[CMD, curl, -f, "http://localhost:3000/healthz"]', 22, 'curl: (22) The requested URL returned error: 503\n'],
    ['"curl -fsS \'http://localhost:4000/\'"', 7, /^curl: \(7\) Failed to connect to localhost port 4000 /],
    ['"wget -qO- http://127.0.0.1:4000/"', 1, "wget: can't connect to remote host (127.0.0.1): Connection refused\n"],
  ])('understands the failing check %s', async (test, exitCode, output) => {
    const lab = new DockerLab();
    await lab.up(`services:\n  app: { image: 'example/shop:broken', ${checked(test, ', retries: 1')} }\n`);
    await lab.until('app', ({ health }) => health?.status === 'unhealthy');
    const [check] = lab.container('app').health?.log ?? [];
    expect(check?.exitCode).toBe(exitCode);
    expect(check?.output).toMatch(output);
  });

  it.each(['[CMD, curl, -s, "http://localhost:3000/"]', '"wget -qO- http://127.0.0.1:3000/ || exit 1"'])(
    'understands the passing check %s',
    async (test) => {
      const lab = new DockerLab();
      await lab.up(`services:\n  app: { image: 'example/shop:v1', ${checked(test)} }\n`);
      await lab.until('app', ({ health }) => health?.status === 'healthy');
    },
  );

  it.each([
    '[CMD, pg_isready]',
    '"curl http://example.com/"',
    '"test -f /tmp/ready"',
    '"curl -X POST http://localhost:3000"',
  ])('refuses the check %s', async (test) => {
    const lab = new DockerLab();
    const { code, stderr } = await lab.up(`services:\n  app: { image: 'example/shop:v1', ${checked(test)} }\n`);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^sandbox docker: not implemented: healthcheck/);
    expect(lab.unimplemented).toHaveLength(1);
  });

  it('fails a check that takes too long', async () => {
    const lab = new DockerLab();
    await lab.up(`services:
  app:
    image: example/shop:v1
    healthcheck: { test: [CMD, curl, 'http://localhost:3000/slow?ms=60000'], interval: 50ms, timeout: 100ms, retries: 1 }
`);
    await lab.until('app', ({ health }) => health?.status === 'unhealthy');
    expect(lab.container('app').health?.log[0]).toMatchObject({
      exitCode: -1,
      output: 'Health check exceeded timeout (0.1s)',
    });
  });

  it('keeps its logs, by stream', async () => {
    const lab = new DockerLab();
    await lab.up("services:\n  app: { image: 'example/shop:crash' }\n");
    await lab.until('app', ({ status }) => status === 'exited');
    expect(await lab.docker(['logs', 'lab-app-1'])).toEqual({
      code: 0,
      stdout: 'shop crash starts\n',
      stderr: 'Error: cannot reach the database\n',
    });
    const { stdout, stderr } = await lab.docker(['logs', '--tail', '1', '--timestamps', 'lab-app-1']);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z Error: cannot reach the database\n$/);
  });
});

describe('docker ps and inspect', () => {
  it('finds containers by label, name and status, and removes stopped ones', async () => {
    const lab = new DockerLab();
    await lab.up("services:\n  app: { image: 'example/shop:v1' }\n  job: { image: 'example/shop:migrate' }\n");
    await lab.until('job', ({ status }) => status === 'exited');
    const filter = ['--no-trunc', '--filter', 'label=com.docker.compose.project=lab'];
    const { stdout } = await lab.docker(['ps', '-aq', ...filter, '--filter', 'label=com.docker.compose.oneoff=False']);
    expect(stdout.trim().split('\n').sort()).toEqual([lab.container('app').id, lab.container('job').id].sort());
    expect((await lab.docker(['ps', '-q', ...filter])).stdout.trim()).toBe(lab.container('app').id);

    const ended = ['ps', '-aq', ...filter, '--filter', 'status=created', '--filter', 'status=exited'];
    expect((await lab.docker(ended)).stdout.trim()).toBe(lab.container('job').id);
    expect((await lab.docker([...ended, '--filter', 'name=^/?[0-9a-f]{12}_'])).stdout).toBe('');
    expect((await lab.docker([...ended, '--filter', 'name=^/?lab-j'])).stdout.trim()).toBe(lab.container('job').id);
    expect(await lab.docker(['rm', lab.container('app').id])).toMatchObject({ code: 1 });
    expect(await lab.docker(['rm', lab.container('job').id])).toMatchObject({ code: 0 });
    expect((await lab.docker(ended)).stdout).toBe('');
  });

  it('names a published port by the port that serves it', async () => {
    const lab = new DockerLab();
    await lab.up("services:\n  app: { image: 'example/shop:v1', ports: ['80:3000'], restart: 'on-failure:3' }\n");
    await eventually(() => lab.container('app').portOf(3000)).toBeDefined();
    const [shown] = JSON.parse((await lab.docker(['inspect', lab.container('app').id])).stdout);
    expect(shown).toMatchObject({
      Id: lab.container('app').id,
      Image: lab.engine.images.mustFind('example/shop:v1').image.id,
      Config: { Image: 'example/shop:v1', Labels: { 'com.docker.compose.service': 'app' } },
      State: { Status: 'running', Pid: process.pid },
      HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } },
      NetworkSettings: {
        Ports: {
          [`${lab.container('app').portOf(3000)}/tcp`]: [
            { HostIp: '0.0.0.0', HostPort: '80' },
            { HostIp: '::', HostPort: '80' },
          ],
        },
      },
    });
  });

  it('shows what exists, and fails for the rest', async () => {
    const lab = new DockerLab();
    await lab.up("services:\n  app: { image: 'example/shop:v1' }\n");
    const { code, stdout, stderr } = await lab.docker(['inspect', 'lab-app-1', 'gone']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toHaveLength(1);
    expect(stderr).toBe('Error: No such object: gone\n');
  });

  it.each([
    ['run', '-d', 'nginx'],
    ['ps'],
    ['system', 'prune'],
    ['compose', '-p', 'lab', 'down'],
    ['ps', '-aq', '--size'],
  ])('does not support docker %s', async (...args) => {
    const lab = new DockerLab();
    const { code, stderr } = await lab.docker(args);
    expect(code).toBe(125);
    expect(stderr).toMatch(/^sandbox docker: not implemented: docker /);
    expect(lab.unimplemented).toHaveLength(1);
  });

  it('fail if the daemon does not answer', async () => {
    const lab = new DockerLab();
    lab.faults.daemonDown = true;
    const stderr =
      'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n';
    expect(await lab.docker(['version', '--format', '{{.Server.Version}}'])).toEqual({ code: 1, stdout: '\n', stderr });
    expect(await lab.docker(['ps', '-aq'])).toEqual({ code: 1, stdout: '', stderr });
    expect(await lab.docker(['inspect', 'x'])).toEqual({ code: 1, stdout: '[]\n', stderr });
    expect((await lab.docker(['compose', 'version', '--short'])).stdout).toBe('2.26.1\n');
  });
});
