/** compose.build: images are built on each droplet before any leaves rotation, and kept for a rollback. */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { StoredRelease } from '../../src/deploy/release/stored-release.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await edit('compose/docker-compose.yml', ({ services: { app, ...others }, ...rest }) => {
    const { image: _, ...unnamed } = app;
    return { ...rest, services: { ...others, app: { ...unnamed, build: '../app' } } };
  });
  for (const file of ['config/deploy.yml', 'config/deploy.first.yml']) {
    await edit(file, ({ compose, files, ...rest }) => {
      return { ...rest, compose: { files: compose, build: true }, files: [...files, 'app/'] };
    });
  }
  await mkdir(join(fleet.folder, 'app'));
});
afterAll(() => fleet.stop());

it('builds before rotation, fails without changing anything, and rolls back without building or pulling', async () => {
  await dockerfile('FROM example/shop:v1', 'COPY Dockerfile /');
  await fleet.deployFirst('1');
  const first = running();
  expect(new Set(first), 'each droplet has built its own').toHaveProperty('size', 2);
  expect(records().map(({ images }) => images.app)).toEqual(
    first.map((id) => ({ reference: 'shop-app', pinned: id, imageId: id, built: true })),
  );
  expect(await page()).toContain('shop v1');

  await dockerfile('FROM example/shop:v2', 'RUN exit 3');
  const failed = await deploy('2');
  expect(failed).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'build-failed' } } });
  expect(failed.result?.error?.message).toContain('did not complete successfully: exit code: 3');
  expect(failed.events.filter(({ type }) => type === 'batch-started')).toEqual([]);
  expect(running()).toEqual(first);

  await dockerfile('FROM example/shop:v2');
  const load = fleet.load();
  expect(await deploy('2')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(await load.stop()).toMatchObject({ failed: 0 });
  expect(await page()).toContain('shop v2');
  expect(await deploy('2'), 'built from the same, it is the same').toMatchObject({ result: { outcome: 'skipped' } });
  expect(await check(), 'each droplet runs what it has built').toMatchObject({ code: 0 });
  // Rebuilt on one droplet, it is another release: the old image may be gone there.
  fleet.region.droplet('web-2').engine.buildCache.clear();
  expect(await deploy('2')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(records().map(({ images }) => images.app?.imageId)).toEqual(running());

  fleet.region.registry.stop();
  const back = await fleet.run(['rollback', 'sandbox', '1', '--yes', '--json']);
  expect(back).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: '1' } } });
  expect(running(), 'the very images').toEqual(first);
  expect(await page()).toContain('shop v1');
});

const droplets = () => ['web-1', 'web-2'].map((name) => fleet.region.droplet(name));
const deploy = (release: string) => fleet.run(['deploy', 'sandbox', release, '--yes', '--json']);
const page = async () => await (await fetch(fleet.region.balancerUrl)).text();
const dockerfile = (...lines: string[]) => writeFile(join(fleet.folder, 'app/Dockerfile'), `${lines.join('\n')}\n`);

const check = () => fleet.run(['status', 'sandbox', '--check']);

/** The app's image id on each droplet. */
function running(): string[] {
  const app = { 'com.docker.compose.service': 'app' };
  return droplets().flatMap(({ engine }) => engine.containers(app).map(({ spec }) => spec.image.id));
}

function records(): StoredRelease[] {
  return droplets().map(({ home }) =>
    JSON.parse(readFileSync(join(home, 'do-deploy/shop/current/release.json'), 'utf8')),
  );
}

// biome-ignore lint/suspicious/noExplicitAny: YAML of the example project
async function edit(path: string, change: (document: any) => object): Promise<void> {
  const file = join(fleet.folder, path);
  await writeFile(file, stringify(change(parse(await readFile(file, 'utf8')))));
}
