/** `profiles:` decides which services are part of a release. Each test leaves the fleet whole. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const NAMES = ['web-1', 'web-2'];

let fleet: SandboxFleet;

async function edit(path: string, change: (value: Record<string, unknown>) => object): Promise<void> {
  const file = join(fleet.folder, path);
  await writeFile(file, stringify(change(parse(await readFile(file, 'utf8')))));
}

async function profiles(...names: string[]): Promise<void> {
  for (const file of ['deploy.yml', 'deploy.first.yml']) {
    await edit(`config/${file}`, (settings) => ({ ...settings, profiles: names }));
  }
}

async function worker(more: object = {}): Promise<void> {
  await edit('compose/docker-compose.sandbox.yml', ({ services, ...rest }) => {
    const jobs = { image: 'docker.io/example/shop:$IMAGE_TAG', profiles: ['worker'], ...more };
    return { ...rest, services: { ...(services as object), worker: jobs } };
  });
}

beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await worker();
  await profiles('worker');
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

const deploy = (release: string) => fleet.run(['deploy', 'sandbox', release, '--yes', '--json']);

/** Of each droplet, the version of its worker. */
const workers = () =>
  NAMES.map((name) => {
    const { engine } = fleet.region.droplet(name);
    const running = engine.containers({ 'com.docker.compose.service': 'worker' });
    return running.map(({ spec }) => spec.image.env.find((one) => one.startsWith('SHOP_VERSION='))?.slice(-2)).join();
  });

describe('profiles', { shuffle: false }, () => {
  it('that no service has are refused before anything is contacted', async () => {
    await profiles('wroker');
    const before = fleet.region.apiLog.length;
    const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes']);
    expect(end.code).toBe(2);
    expect(end.stderr).toMatch(
      /config\/deploy\.yml:\d+.*no service of the compose files has the profile wroker[\s\S]*did you mean worker\?/,
    );
    expect(fleet.region.apiLog.length).toBe(before);
    await profiles('worker');
  });

  it('make their services part of the release: pinned, pulled, started and kept', async () => {
    expect(workers()).toEqual(['v1', 'v1']);
    const load = fleet.load();
    const end = await deploy('v2');
    expectNoFailures(await load.stop());
    expect(end, end.stdout).toMatchObject({ code: 0 });
    expect(workers()).toEqual(['v2', 'v2']);
    const current = join(fleet.region.droplet('web-1').home, 'do-deploy/shop/current');
    expect(JSON.parse(await readFile(join(current, 'release.json'), 'utf8'))).toMatchObject({ profiles: ['worker'] });
    expect(await readFile(join(current, 'images.yml'), 'utf8')).toMatch(/"worker": \{ image: ".*@sha256:/);
    expect(await deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
    expectWhole(fleet, ['v2']);
  });

  it('are judged: a worker that is not healthy fails its droplet, which goes back with its worker', async () => {
    await worker({
      healthcheck: {
        test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:9/'],
        interval: '300ms',
        retries: 2,
      },
    });
    const end = await deploy('v1');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(end.result?.error?.message).toMatch(/worker/i);
    expect(workers()).toEqual(['v2', 'v2']);
    expectWhole(fleet, ['v2']);
    await worker();
  });

  it('that are turned off take their services with them, and a rollback brings them back', async () => {
    await profiles();
    const load = fleet.load();
    const end = await deploy('v1');
    expect(end, end.stdout).toMatchObject({ code: 0 });
    expect(workers()).toEqual(['', '']);
    expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
    expectWhole(fleet, ['v1']);
    const back = await fleet.run(['rollback', 'sandbox', '--yes', '--json']);
    expect(back, back.stdout).toMatchObject({ code: 0 });
    expectNoFailures(await load.stop());
    expect(workers()).toEqual(['v2', 'v2']);
    expectWhole(fleet, ['v2']);
  });
});
