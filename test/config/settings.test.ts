import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { listEnvironments, loadSettings } from '../../src/config/load.js';
import { COMPOSE, createProject, deployYml, load, problemsOf, TOKEN } from './project-folder.js';

describe('the request to the app', () => {
  const http = async (text: string) =>
    (
      await load(
        createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(`rollout: { health: { http: ${text} } }`) }),
      )
    ).rollout.healthHttp;
  const problems = (text: string) =>
    problemsOf(createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(`rollout: { health: { http: ${text} } }`) }));

  it('is to port 80, unless another one is written', async () => {
    expect(await http('{ path: /healthz }')).toMatchObject({ port: 80, path: '/healthz' });
    expect(await http('{ port: 8080 }')).toEqual({ port: 8080, path: '/', intervalMs: 2_000, timeoutMs: 5_000 });
    expect(await http('{ port: 80, path: "/healthz?full=1", interval: 500ms, timeout: 1s }')).toEqual({
      ...{ port: 80, path: '/healthz?full=1', intervalMs: 500, timeoutMs: 1_000 },
    });
  });

  it.each([
    [
      '{ port: 80, path: healthz }',
      'config/deploy.yml:3: rollout.health.http.path must be a path that begins with /; write `path: /healthz`',
    ],
    [
      '{ port: 80, path: "/a b" }',
      'config/deploy.yml:3: rollout.health.http.path must be a path that begins with /; write `path: /healthz`',
    ],
    [
      '{ port: 70000 }',
      'config/deploy.yml:3: rollout.health.http.port must be a port, a number from 1 to 65535; write `port: 8080`',
    ],
    [
      '{ port: 80, interval: 10ms }',
      'config/deploy.yml:3: rollout.health.http.interval must be at least 100ms; write `interval: 2s`',
    ],
  ])('%s is a problem', async (text, problem) => {
    expect(await problems(text)).toEqual([problem]);
  });
});

describe('compose', () => {
  const FILES = { 'a.yml': '', 'compose/docker-compose.yml': '' };
  const settingsOf = (yaml: string) => load(createProject({ ...FILES, 'config/deploy.yml': yaml }));
  const problemsWith = (yaml: string) => problemsOf(createProject({ ...FILES, 'config/deploy.yml': yaml }));
  const inEnvironment = (text: string) =>
    `app: shop\ncompose: { files: [a.yml], build: true }\nenvironments:\n  test:\n    load_balancer: web\n    compose: ${text}\n`;

  it('is a list of files, or a map with files and build; an environment changes either', async () => {
    const named = async (yaml: string) => {
      const { composeFiles, build } = await settingsOf(yaml);
      return { composeFiles, build };
    };
    const standard = ['compose/docker-compose.yml'];
    expect(await named(deployYml('compose: [a.yml]'))).toEqual({ composeFiles: ['a.yml'], build: undefined });
    expect(await named(deployYml('compose: { files: [a.yml], build: true }'))).toEqual({
      composeFiles: ['a.yml'],
      build: true,
    });
    expect(await named(deployYml('compose: { build: true }'))).toEqual({ composeFiles: standard, build: true });
    expect(await named(inEnvironment(`[${standard[0]}]`))).toEqual({ composeFiles: standard, build: true });
    expect(await named(inEnvironment('{ build: false }'))).toEqual({ composeFiles: ['a.yml'], build: undefined });
  });

  it.each([
    ['compose: 3', 'config/deploy.yml:3: compose must be a list of paths, or a map with files and build'],
    ['compose: [a.yml, 3]', 'config/deploy.yml:3: compose[1] must be a path'],
    ['compose: { build: maybe }', 'config/deploy.yml:3: compose.build must be true or false'],
    ['compose: { file: [a.yml] }', 'config/deploy.yml:3: unknown key compose.file'],
    ['compose: { files: [none.yml] }', 'config/deploy.yml:3: none.yml does not exist'],
  ])('%s is a problem', async (line, problem) => {
    expect((await problemsWith(deployYml(line))).map((one) => one.split(';')[0])).toEqual([problem]);
  });
});

describe('settings', () => {
  it('are complete with an app and an environment', async () => {
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml() });
    const { token, files, secrets, ...settings } = await load(root);
    expect(token.reveal()).toBe(TOKEN);
    expect(files.map(({ path }) => path)).toEqual(['compose/docker-compose.yml', 'scripts/start-up.sh']);
    expect(secrets.map((secret) => secret.reveal())).toEqual([TOKEN]);
    expect(settings).toEqual({
      app: 'shop',
      environment: 'test',
      imageTag: 'latest',
      isProtected: false,
      requireClean: false,
      apiUrl: 'https://api.digitalocean.com/v2',
      ssh: {
        user: 'root',
        port: 22,
        unwritten: ['user', 'port', 'knownHostsPath'],
        knownHostsPath: join(root, '.ssh/known_hosts'),
        hostKeys: 'accept-new',
        address: 'public',
      },
      target: { kind: 'load_balancer', ref: 'web' },
      root,
      composeFiles: ['compose/docker-compose.yml'],
      envFiles: [],
      rollout: {
        batch: [1],
        drainTimeoutMs: 30_000,
        healthTimeoutMs: 120_000,
        onFailure: 'revert-droplet',
        interruptGraceMs: 60_000,
      },
      bootstrap: {
        dockerGroup: true,
        docker: 'distribution',
        firewall: {},
        hardenSsh: true,
        unattendedUpgrades: true,
        swap: true,
        waitMs: 600_000,
      },
      keepReleases: 5,
      confirm: false,
      handlers: [],
    });
  });

  it('take everything that the file can say', async () => {
    const yaml = `
app: shop
image_tag: v1.4.2
api_url: https://api.example.com/v2/
confirm: true
ssh:
  user: deploy
  port: 2222
  key: keys/id
  config: ~/client-config
  known_hosts: known_hosts
  host_keys: strict
  address: private
compose: [compose/docker-compose.yml, "compose/docker-compose.{environment}.yml"]
files: ["config/.env.{environment}", config/nginx/]
registry: { server: ghcr.io, username: me, password: $PASSWORD }
rollout:
  batch: [1, 5, 20%]
  min_in_rotation: 2
  drain: { timeout: 500ms }
  health: { timeout: 1h }
  on_failure: revert-fleet
  interrupt_grace: 90s
keep_releases: 7
environments:
  test: { droplet: 3164494 }
`;
    const root = createProject({
      ...COMPOSE,
      'compose/docker-compose.test.yml': '',
      'config/deploy.yml': yaml,
      'config/.env': 'PASSWORD=from-the-file\n',
      'config/.env.test': 'LOG_LEVEL=debug\n',
      'config/nginx/nginx.conf': '',
      'keys/id': '',
      'client-config': '',
    });
    const settings = await load(root, { env: { SSH_AUTH_SOCK: '/run/agent' } });
    expect(settings).toMatchObject({
      imageTag: 'v1.4.2',
      apiUrl: 'https://api.example.com/v2',
      confirm: true,
      ssh: {
        user: 'deploy',
        port: 2222,
        keyPath: join(root, 'keys/id'),
        configPath: join(root, 'client-config'),
        knownHostsPath: join(root, 'known_hosts'),
        agentSocket: '/run/agent',
        hostKeys: 'strict',
        address: 'private',
      },
      target: { kind: 'droplet', id: 3164494 },
      composeFiles: ['compose/docker-compose.yml', 'compose/docker-compose.test.yml'],
      envFiles: ['config/.env.test'],
      rollout: {
        batch: [1, 5, '20%'],
        minInRotation: 2,
        drainTimeoutMs: 500,
        healthTimeoutMs: 3_600_000,
        onFailure: 'revert-fleet',
        interruptGraceMs: 90_000,
      },
      keepReleases: 7,
    });
    expect(settings.registry).toMatchObject({ server: 'ghcr.io', username: 'me' });
    expect(settings.registry?.password?.reveal()).toBe('from-the-file');
  });

  it.each([
    ['1', [1]],
    ['12', [12]],
    ['25%', ['25%']],
    ['100%', ['100%']],
    ['all', ['all']],
    ['"3"', [3]],
    ['[1, "50%", all]', [1, '50%', 'all']],
  ])('read a batch of %s', async (written, batch) => {
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(`rollout: { batch: ${written} }`) });
    expect((await load(root)).rollout.batch).toEqual(batch);
  });

  it('of an environment override the top: maps are merged, lists and values replaced', async () => {
    const root = createProject({
      ...COMPOSE,
      'compose/b.yml': '',
      'config/deploy.yml': `
app: shop
image_tag: latest
ssh: { user: deploy, port: 2222 }
compose: [compose/docker-compose.yml]
rollout: { batch: 2, drain: { timeout: 10s }, health: { timeout: 1m } }
environments:
  test:
    load_balancer: web
    image_tag: edge
    ssh: { port: 22 }
    compose: [compose/b.yml]
    rollout: { batch: [1, 2], drain: { timeout: 20s } }
    keep_releases: 2
`,
    });
    expect(await load(root)).toMatchObject({
      imageTag: 'edge',
      ssh: { user: 'deploy', port: 22 },
      composeFiles: ['compose/b.yml'],
      rollout: { batch: [1, 2], drainTimeoutMs: 20_000, healthTimeoutMs: 60_000 },
      keepReleases: 2,
    });
  });

  it('come from the file that --config names; its project is the folder above a folder named config', async () => {
    const root = createProject({
      'sub/compose/docker-compose.yml': '',
      'sub/config/other.yml': deployYml(),
      'flat/compose/docker-compose.yml': '',
      'flat/deploy.yml': deployYml(),
    });
    expect((await load(root, { configPath: 'sub/config/other.yml' })).root).toBe(join(root, 'sub'));
    expect((await load(root, { configPath: join(root, 'flat/deploy.yml') })).root).toBe(join(root, 'flat'));
  });

  it('come from the config/deploy.yml above, up to the home folder', async () => {
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml(), 'src/deep/file': '' });
    const cwd = join(root, 'src/deep');
    expect(await load(root, { cwd })).toMatchObject({ root, app: 'shop' });
    expect((await problemsOf(root, { cwd, env: { DO_TOKEN: '' } }))[0]).toMatch(/^DO_TOKEN: /);
    await expect(load(root, { cwd, env: { HOME: join(root, 'src') } })).rejects.toThrow('without a config/deploy.yml');
  });

  it('ask before an environment named production, unless told otherwise', async () => {
    const yaml = 'app: shop\nenvironments: { production: { load_balancer: web }, b: { droplet: 1, confirm: true } }\n';
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': yaml });
    expect((await load(root, { environment: 'production' })).confirm).toBe(true);
    expect((await load(root, { environment: 'b' })).confirm).toBe(true);
    writeFileSync(join(root, 'config/deploy.yml'), yaml.replace('web', 'web, confirm: false'));
    expect((await load(root, { environment: 'production' })).confirm).toBe(false);
  });

  it('to look at a fleet need neither the files of a release nor the registry', async () => {
    const yaml = deployYml(
      'files: [config/.env.test]',
      'registry: { username: $DOCKER_USERNAME, password: $DOCKER_PASSWORD }',
    );
    const root = createProject({ 'config/deploy.yml': yaml });
    const { composeFiles, registry, target } = await load(root, { needs: 'fleet' });
    expect({ composeFiles, registry, target }).toEqual({
      composeFiles: [],
      registry: undefined,
      target: { kind: 'load_balancer', ref: 'web' },
    });
    const pool = 'app: shop\nenvironments: { test: { load_balancer: web, autoscale_pool: web-pool } }\n';
    expect((await load(createProject({ 'config/deploy.yml': pool }), { needs: 'fleet' })).target).toEqual({
      kind: 'load_balancer',
      ref: 'web',
      pool: 'web-pool',
    });
    // To adopt droplets takes the login besides.
    const env = { DOCKER_USERNAME: 'me', DOCKER_PASSWORD: 'secret' };
    expect((await load(root, { needs: 'images', env })).registry).toMatchObject({ username: 'me' });
    await expect(load(root, { needs: 'images' })).rejects.toThrow();
  });

  it('know the token by either name, and the API by DIGITALOCEAN_API_URL', async () => {
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml('api_url: https://written.example') });
    const env = {
      HOME: root,
      DIGITALOCEAN_ACCESS_TOKEN: 'b'.repeat(20),
      DIGITALOCEAN_API_URL: 'http://127.0.0.1:9/v2',
    };
    const settings = await loadSettings({ cwd: root, environment: 'test', env });
    expect(settings.token.reveal()).toBe('b'.repeat(20));
    expect(settings.apiUrl).toBe('http://127.0.0.1:9/v2');
    expect((await load(root, { env })).token.reveal()).toBe(TOKEN);
  });

  it('name the environments in the order in which they are written', async () => {
    const yaml = 'app: shop\nenvironments: { zeta: { droplet: 1 }, alpha: { droplet: 2 } }\n';
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': yaml });
    expect(await listEnvironments({ cwd: root, env: {} })).toEqual(['zeta', 'alpha']);
  });

  it('load without a home folder, for a user without a name', async () => {
    const root = createProject({ ...COMPOSE, 'config/deploy.yml': deployYml() });
    chmodSync(root, 0o755);
    const isRoot = process.getuid?.() === 0;
    // Without HOME and without an entry in passwd, the system has no answer.
    vi.stubEnv('HOME', undefined);
    if (isRoot) process.seteuid?.(54_321);
    onTestFinished(() => {
      if (isRoot) process.seteuid?.(0);
      vi.unstubAllEnvs();
    });
    const settings = await load(root, { env: { HOME: undefined } });
    expect(settings.ssh.knownHostsPath).toMatch(/\/\.ssh\/known_hosts$/);
  });
});
