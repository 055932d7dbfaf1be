/** Images on droplets: the room for them is checked before a pull, and those of a deploy that failed do not stay. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { buildImage } from '../../src/sandbox/docker/image.js';
import { shopImage } from '../../src/sandbox/docker/images/shop.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const SHOP = 'registry.example.com/acme/shop';
const LOGIN = { username: 'ann', password: 'se:cret' };
const MEGABYTE = 1024 * 1024;
const BASE = { base: 4_000 * MEGABYTE };
const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };

let fleet: SandboxFleet;
const droplets = () => ['web-1', 'web-2'].map((name) => fleet.region.droplet(name));
const deploy = (release: string) => fleet.run(['deploy', 'sandbox', release, '--yes', '--json']);
/** Where the image is, of each droplet. */
const has = (tag: string) => droplets().map(({ engine }) => engine.images.find(`${SHOP}:${tag}`) !== undefined);

/** Every version has the same base, and a layer of its own with as many bytes. */
function push(tag: string, own: number): void {
  const shop = shopImage(tag);
  const { layers } = buildImage({ content: tag, program: shop.program, layers: { ...BASE, [tag]: own } });
  fleet.region.registry.push(SHOP, tag, { ...shop, layers });
}

beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2, registryCredentials: LOGIN });
  const registry = { server: 'registry.example.com', username: '$DOCKER_USERNAME', password: '$DOCKER_PASSWORD' };
  for (const name of ['config/deploy.yml', 'config/deploy.first.yml']) {
    const file = join(fleet.folder, name);
    await writeFile(file, stringify({ ...parse(await readFile(file, 'utf8')), registry }));
  }
  await appendFile(
    join(fleet.folder, 'config/.env'),
    `DOCKER_USERNAME=${LOGIN.username}\nDOCKER_PASSWORD=${LOGIN.password}\n`,
  );
  await appendFile(join(fleet.folder, 'config/.env.common'), `APP_IMAGE=${SHOP}\n`);
  for (const droplet of droplets()) await droplet.setFaults({ diskFreeMb: 20_000 });
  push('v1', MEGABYTE);
  await fleet.deployFirst('v1');
  expect(has('v1')).toEqual([true, true]);
});
afterAll(async () => {
  expect(droplets().flatMap(({ unimplemented }) => unimplemented)).toEqual([]);
  await fleet.stop();
});

describe('images', { shuffle: false }, () => {
  it('a pull is refused only if the layers that are missing do not fit', async () => {
    const [, second] = droplets();
    await second?.setFaults({ diskFreeMb: 700 });
    push('fits', 340 * MEGABYTE);
    expect(await deploy('fits'), 'the base is there').toMatchObject(DEPLOYED);

    push('big', 360 * MEGABYTE);
    const end = await deploy('big');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(end.result?.error).toEqual({
      code: 'disk-full',
      message: 'web-2 has 700 MB of room for images, and the pull needs at least 720 MB.',
      hint: expect.stringMatching(/: ssh -F \S+ -i \S+ -p \d+ root@127\.0\.0\.1 docker image prune --force$/),
      source: 'external',
      droplet: 'web-2',
      step: 'upload',
    });
    expect(end.events.filter(({ type }) => type === 'batch-started')).toEqual([]);
    expect(has('big'), 'nothing was pulled').toEqual([false, false]);
    expect(end.stdout + end.stderr).not.toContain(LOGIN.password);
    for (const { folder, home } of droplets()) {
      expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
      expect(readdirSync(join(home, 'do-deploy/shop/releases')).filter((name) => name.endsWith('.partial'))).toEqual(
        [],
      );
    }

    push('absurd', 1e300);
    expect(await deploy('absurd'), 'such a size is not believed').toMatchObject(DEPLOYED);
    await second?.setFaults({ diskFreeMb: 20_000 });
  });

  it('images of a deploy that failed while staging are removed by the next success', async () => {
    const [first, second] = droplets();
    for (const tag of ['failed', 'of-another-app', 'half', 'good']) push(tag, MEGABYTE);
    await second?.setFaults({ pull: 'missing' });
    for (const tag of ['failed', 'of-another-app']) {
      expect(await deploy(tag)).toMatchObject({
        code: 1,
        result: { error: { code: 'pull-failed', droplet: 'web-2' } },
      });
      expect(has(tag)).toEqual([true, false]);
    }
    await second?.setFaults({ pull: 'ok' });
    const compose = join(fleet.folder, 'compose/docker-compose.yml');
    const text = await readFile(compose, 'utf8');
    await writeFile(compose, text.replace(/image: docker\.io.*nginx.*/, `image: ${SHOP}:absent`));
    expect(await deploy('half')).toMatchObject({ code: 1, result: { error: { code: 'pull-failed' } } });
    expect(has('half'), 'pulled before the other image failed').toEqual([true, true]);
    await writeFile(compose, text);
    // As if an app that shares the repository had deployed it.
    const blog = join(first?.home ?? '', 'do-deploy/blog/releases/20261101T000000Z-v7');
    mkdirSync(blog, { recursive: true });
    const shared = first?.engine.images.mustFind(`${SHOP}:of-another-app`).image.id;
    writeFileSync(join(blog, 'release.json'), JSON.stringify({ images: { app: { imageId: shared } } }));
    first?.engine.images.tag(`${SHOP}:by-hand`, buildImage({ content: 'by hand', program: () => {} }));

    expect(await deploy('good')).toMatchObject(DEPLOYED);
    for (const tag of ['failed', 'half']) expect(has(tag), tag).toEqual([false, false]);
    expect(has('of-another-app')).toEqual([true, false]);
    expect(has('by-hand')).toEqual([true, false]);
    for (const tag of ['v1', 'fits', 'absurd', 'good'])
      expect(has(tag), `${tag}: of a kept release`).toEqual([true, true]);

    fleet.region.registry.stop();
    expect(await fleet.run(['rollback', 'sandbox', '--yes', '--json']), 'its images stayed').toMatchObject(DEPLOYED);
  });
});
