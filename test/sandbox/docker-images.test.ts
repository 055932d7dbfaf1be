import { describe, expect, it } from 'vitest';
import { exampleRegistry } from '../../src/sandbox/docker/images/example-registry.js';
import { familiarName, parseReference } from '../../src/sandbox/docker/reference.js';
import { DockerLab } from './docker-lab.js';

const CREDENTIALS = { username: 'me', password: 'se:cret' };
const shop = (tag: string) => `services:\n  app: { image: 'docker.io/example/shop:${tag}' }\n`;

describe('a reference', () => {
  it.each([
    ['nginx', 'docker.io/library/nginx', 'latest', 'nginx'],
    ['docker.io/nginx:1', 'docker.io/library/nginx', '1', 'nginx'],
    ['example/shop:v1', 'docker.io/example/shop', 'v1', 'example/shop'],
    ['localhost:5000/shop', 'localhost:5000/shop', 'latest', 'localhost:5000/shop'],
    ['registry.example.com/a/b:c', 'registry.example.com/a/b', 'c', 'registry.example.com/a/b'],
  ])('%s is %s with tag %s', (text, repository, tag, familiar) => {
    expect(parseReference(text)).toMatchObject({ repository, tag });
    expect(familiarName(repository)).toBe(familiar);
  });

  it.each(['Shop', 'shop:', 'shop:a b', 'shop@sha256:1', ''])('%j is invalid', (text) => {
    expect(() => parseReference(text)).toThrow('invalid reference format');
  });
});

describe('docker compose pull', () => {
  it('reports an unknown tag', async () => {
    const lab = new DockerLab();
    lab.write('compose.yml', shop('v9'));
    const { code, stderr } = await lab.compose(['pull', '--quiet']);
    expect(code).toBe(18);
    expect(stderr).toContain(
      'Error response from daemon: manifest for example/shop:v9 not found: manifest unknown: manifest unknown\n',
    );
  });

  it('requires a login for a private repository, not for an official one', async () => {
    const lab = new DockerLab({ registry: exampleRegistry({ credentials: CREDENTIALS }) });
    lab.write('compose.yml', shop('v1'));
    const denied = await lab.compose(['pull', '--quiet']);
    expect(denied.code).toBe(18);
    expect(denied.stderr).toContain(
      "pull access denied for example/shop, repository does not exist or may require 'docker login'",
    );
    lab.write('compose.yml', 'services:\n  web: { image: nginx }\n');
    expect((await lab.compose(['pull', '--quiet'])).code).toBe(0);

    const env = { DOCKER_CONFIG: `${lab.folder}/private` };
    const login = ['login', '--username', 'me', '--password-stdin', 'docker.io'];
    expect(await lab.docker(login, { stdin: 'se:cret\n', env })).toMatchObject({
      code: 0,
      stdout: 'Login Succeeded\n',
    });
    expect(JSON.parse(lab.read('private/config.json'))).toEqual({
      auths: { 'https://index.docker.io/v1/': { auth: Buffer.from('me:se:cret').toString('base64') } },
    });
    lab.write('compose.yml', shop('v1'));
    expect((await lab.compose(['pull', '--quiet'], { env })).code).toBe(0);
  });

  it('refuses a wrong password, and stores nothing', async () => {
    const lab = new DockerLab({ registry: exampleRegistry({ credentials: CREDENTIALS }) });
    expect(await lab.docker(['login', '--username', 'me', '--password-stdin'], { stdin: 'wrong' })).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'Error response from daemon: Get "https://registry-1.docker.io/v2/": unauthorized: incorrect username or password\n',
    });
    expect(() => lab.read('.docker/config.json')).toThrow('ENOENT');
  });

  it('fails if the registry is down or unknown, or the disk is full', async () => {
    const lab = new DockerLab();
    lab.registry.stop();
    lab.write('compose.yml', shop('v1'));
    expect((await lab.compose(['pull', '-q'])).stderr).toContain('connect: connection refused');
    lab.registry.start();
    lab.faults.diskFull = true;
    expect((await lab.compose(['pull', '-q'])).stderr).toContain('no space left on device');
    lab.write('compose.yml', 'services:\n  app: { image: registry.example.com/shop }\n');
    expect((await lab.compose(['pull', '-q'])).stderr).toContain('lookup registry.example.com: no such host');
  });

  it('stops when its client is gone', async () => {
    const lab = new DockerLab();
    lab.faults.pullDelayMs = 3_600_000;
    lab.write('compose.yml', shop('v1'));
    const gone = new AbortController();
    const pull = lab.compose(['pull', '-q'], { signal: gone.signal });
    gone.abort();
    expect((await pull).code).toBe(130);
    expect(lab.engine.images.list()).toEqual([]);
  });
});

describe('docker image', () => {
  it('shows an image by any of its names', async () => {
    const lab = new DockerLab();
    await lab.pull('example/shop:v1', 'example/shop:latest');
    const { stdout } = await lab.docker(['image', 'inspect', 'docker.io/example/shop:v1']);
    const [shown] = JSON.parse(stdout);
    expect(shown.RepoTags).toEqual(['example/shop:v1', 'example/shop:latest']);
    expect(shown.RepoDigests).toEqual([expect.stringMatching(/^example\/shop@sha256:[0-9a-f]{64}$/)]);
    for (const name of [shown.Id, shown.RepoDigests[0], shown.Id.slice(7, 19)]) {
      expect(JSON.parse((await lab.docker(['image', 'inspect', name])).stdout)).toEqual([shown]);
    }
  });

  it('does not find what is not there', async () => {
    expect(await new DockerLab().docker(['image', 'inspect', 'docker.io/example/shop:v1'])).toEqual({
      code: 1,
      stdout: '[]\n',
      stderr: 'Error response from daemon: No such image: example/shop:v1\n',
    });
  });

  it('keeps an image without a name when its tag moves', async () => {
    const lab = new DockerLab();
    await lab.pull('example/shop:latest');
    const old = lab.engine.images.mustFind('example/shop:latest').image.id;
    lab.registry.moveTag('docker.io/example/shop', 'latest', 'v2');
    await lab.pull('example/shop:latest');
    expect([...lab.engine.images.mustFind(old).tags]).toEqual([]);
    expect(lab.engine.images.mustFind('example/shop:latest').image.id).not.toBe(old);
  });

  it('removes no image that a container uses', async () => {
    const lab = new DockerLab();
    await lab.up(shop('v1'));
    const { id } = lab.engine.images.mustFind('example/shop:v1').image;
    const byId = await lab.docker(['image', 'rm', id]);
    expect(byId.code).toBe(1);
    expect(byId.stderr).toMatch(
      /conflict: unable to delete \w{12} \(cannot be forced\) - image is being used by running container/,
    );
    const byName = await lab.docker(['image', 'rm', 'example/shop:v1']);
    expect(byName.stderr).toMatch(/conflict: unable to remove repository reference "example\/shop:v1" \(must force\)/);
    await lab.up(shop('v2'));
    expect((await lab.docker(['image', 'rm', id])).stdout).toContain(`Deleted: ${id}\n`);
    expect((await lab.docker(['image', 'inspect', id])).code).toBe(1);
  });

  it('does not remove an image with two tags by its id, but with its last tag', async () => {
    const lab = new DockerLab();
    await lab.pull('example/shop:v1', 'example/shop:latest');
    const { id } = lab.engine.images.mustFind('example/shop:v1').image;
    expect((await lab.docker(['image', 'rm', id])).stderr).toMatch(/must be forced/);
    await lab.docker(['image', 'rm', 'example/shop:latest']);
    expect((await lab.docker(['image', 'rm', 'example/shop:v1'])).stdout).toMatch(
      /^Untagged: example\/shop:v1\nUntagged: example\/shop@sha256:\w+\nDeleted: sha256:\w+\n$/,
    );
    expect(lab.engine.images.list()).toEqual([]);
  });

  it('removes one of two names and keeps the image', async () => {
    const lab = new DockerLab();
    await lab.pull('example/shop:v1', 'example/shop:latest');
    expect(await lab.docker(['image', 'rm', 'example/shop:latest'])).toMatchObject({
      code: 0,
      stdout: 'Untagged: example/shop:latest\n',
    });
    expect((await lab.docker(['image', 'inspect', 'example/shop:v1'])).code).toBe(0);
  });
});
