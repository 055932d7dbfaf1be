/** Several apps, and several environments of one app, on a single droplet do not affect each other. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 1 });
});
afterAll(() => fleet.stop());

/** Each has its own port; `later` is deployed to the same droplet. */
async function checkout(app: string, port: number, environments: Record<string, object>): Promise<string> {
  const cwd = await fleet.freshCheckout();
  const { id } = fleet.region.droplet('web-1');
  const compose = join(cwd, 'compose/docker-compose.yml');
  await writeFile(compose, (await readFile(compose, 'utf8')).replace('80:80', '${' + 'PORT}:80'));
  for (const name of Object.keys(environments)) {
    await writeFile(join(cwd, `config/.env.${name}`), `PORT=${name === 'later' ? port + 1 : port}\n`);
  }
  const file = join(cwd, 'config/deploy.yml');
  const settings = parse(await readFile(file, 'utf8')) as object;
  const own = Object.fromEntries(Object.entries(environments).map(([name, more]) => [name, { droplet: id, ...more }]));
  await writeFile(file, stringify({ ...settings, app, keep_releases: 2, environments: own }));
  return cwd;
}

it('prune keeps exactly `keep_releases`; other apps, other environments and all volumes stay', async () => {
  const droplet = fleet.region.droplet('web-1');
  const { engine } = droplet;
  const shop = await checkout('shop', 80, { alone: {}, later: {} });
  const blog = await checkout('blog', 8080, { alone: {} });
  const deploy = (cwd: string, environment: string, release: string) =>
    fleet.run([environment, release, '--json'], { cwd });
  const appsOf = (project: string) =>
    engine
      .containers({ 'com.docker.compose.project': project })
      .filter(({ running }) => running)
      .map(({ id }) => id);
  const releases = (app: string) =>
    readdirSync(join(droplet.home, 'do-deploy', app, 'releases')).map((id) => id.replace(/^\w+-/, ''));
  const tags = () =>
    ['v1', 'v2', 'v3', 'slow-start'].filter((tag) => engine.images.find(`docker.io/example/shop:${tag}`) !== undefined);

  const both = await Promise.all([deploy(shop, 'alone', 'v1'), deploy(blog, 'alone', 'v1')]);
  expect(
    both.map(({ code }) => code),
    'neither waits for the other’s lock',
  ).toEqual([0, 0]);
  const uploads = join(engine.volumeFolder('shop_uploads'), 'cat.jpg');
  writeFileSync(uploads, 'a cat');
  const blogRuns = appsOf('blog');
  expect(blogRuns).toHaveLength(2);

  for (const release of ['v2', 'v3', 'slow-start']) {
    const end = await deploy(shop, 'alone', release);
    expect(end, release).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  }
  expect(releases('shop').sort()).toEqual(['slow-start', 'v3']);
  expect(releases('blog')).toEqual(['v1']);
  expect(tags(), 'v2 ran here and only here, and is kept no longer').toEqual(['v1', 'v3', 'slow-start']);
  expect(engine.images.find('docker.io/library/nginx:1.27-alpine'), 'every release runs it').toBeDefined();
  expect(appsOf('blog'), 'the other app was not touched').toEqual(blogRuns);
  expect(readFileSync(uploads, 'utf8')).toBe('a cat');

  const collision = await deploy(shop, 'later', 'v3');
  expect(collision).toMatchObject({ code: 2, result: { error: { code: 'environment-collision' } } });
  expect(collision.result?.error?.message).toBe(
    'web-1 runs shop for the environment alone: later would replace its containers.',
  );
  expect(collision.result?.error?.hint).toContain('`app: shop-later` below environments.later');
  expect(collision.result?.error?.hint).toMatch(
    new RegExp(
      `ssh -F \\S+/ssh_config -i \\S+ -p ${droplet.sshPort} root@127\\.0\\.0\\.1 'cd do-deploy/shop && mkdir before && mv releases`,
    ),
  );

  const file = join(shop, 'config/deploy.yml');
  const settings = parse(await readFile(file, 'utf8'));
  settings.environments.later.app = 'shop-later';
  await writeFile(file, stringify(settings));
  const shopRuns = appsOf('shop');
  expect(await deploy(shop, 'later', 'v3')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(releases('shop-later')).toEqual(['v3']);
  expect(appsOf('shop'), 'the other environment goes on').toEqual(shopRuns);
  expect(appsOf('shop-later')).toHaveLength(2);
  expect(existsSync(uploads)).toBe(true);

  const history = async (cwd: string, environment: string) =>
    (await fleet.run(['history', environment, '--json'], { cwd })).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).imageTag);
  expect(await history(shop, 'alone')).toEqual(['slow-start', 'v3', 'v2', 'v1']);
  expect(await history(shop, 'later')).toEqual(['v3']);
  expect(await history(blog, 'alone')).toEqual(['v1']);
});
