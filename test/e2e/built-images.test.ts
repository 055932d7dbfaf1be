import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';
import { REGISTRY } from './lab/region.js';

const NO_FAILURE = { failed: 0, failures: [] };

describe('images built on each droplet, which keeps two', { shuffle: false }, () => {
  let fleet: Fleet;
  const dockerfile = (version: string, ...lines: string[]) =>
    fleet.project.write(
      'app/Dockerfile',
      [`FROM ${REGISTRY}/shop:v1`, `ENV VERSION=${version}`, ...lines, ''].join('\n'),
    );
  /** Ids of the images with the app's name, by droplet. */
  const images = async () => {
    const ids = `docker image ls --no-trunc --quiet --filter 'reference=${REGISTRY}/shop' | sort -u`;
    const found = await Promise.all(fleet.machines.map((machine) => machine.must(ids)));
    return found.map((text) => text.trim().split('\n'));
  };
  const running = () =>
    Promise.all(fleet.machines.map((machine) => machine.must("docker inspect shop-app-1 --format '{{.Image}}'")));

  beforeAll(async () => {
    const files = ['production', 'build'].map((name) => `compose/docker-compose.${name}.yml`);
    fleet = await Fleet.start({
      droplets: 2,
      // It removes an image with its last name: the next build takes the name of the last one.
      containerdStore: ['web-2'],
      settings: {
        keep_releases: 2,
        compose: { files: ['compose/docker-compose.yml', ...files], build: true },
        files: ['config/.env.common', 'config/.env.production', 'config/nginx/', 'app/'],
      },
    });
    await fleet.project.write('compose/docker-compose.build.yml', 'services: { app: { build: ../app } }\n');
    await dockerfile('built-1', 'RUN echo 1 >/built');
    await fleet.deployFirst('1');
  });
  afterAll(() => fleet.stop());

  it('are built on every droplet', async () => {
    expect(await fleet.versions()).toEqual(fleet.all('built-1'));
    expect(await fleet.differences()).toEqual(['docker-differs']);
  });

  it('stop the deploy before anything leaves rotation if the build fails', async () => {
    const before = await running();
    await dockerfile('built-2', 'RUN echo no compiler here >&2; exit 3');
    const end = await fleet.deploy('2');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'build-failed' } } });
    expect(end.result?.error?.message).toContain('exit code: 3');
    expect(end.events.filter(({ type }) => type === 'batch-started')).toEqual([]);
    expect(await running()).toEqual(before);
  });

  it('are rolled out without a failed request, and back without the registry', async () => {
    const first = await running();
    await dockerfile('built-2', 'RUN echo 2 >/built');
    const load = fleet.load();
    expect(await fleet.deploy('2')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await fleet.versions()).toEqual(fleet.all('built-2'));

    for (const machine of fleet.machines) await machine.must('iptables -I OUTPUT -p tcp --dport 5000 -j REJECT');
    expect(await fleet.run(['rollback', 'production', '--yes', '--json'])).toMatchObject({ code: 0 });
    for (const machine of fleet.machines) await machine.must('iptables -D OUTPUT -p tcp --dport 5000 -j REJECT');
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await running(), 'the same images').toEqual(first);
    expect(await fleet.versions()).toEqual(fleet.all('built-1'));
  });

  it('are removed with their release', async () => {
    const [first] = await images();
    expect(first, 'images of 1 and 2').toHaveLength(2);
    const [one] = await running();
    await dockerfile('built-3', 'RUN echo 3 >/built');
    expect(await fleet.deploy('3')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    const [three] = await running();
    const kept = [one, three].map((id) => id?.trim()).sort();
    expect((await images())[0], 'images of 1, the previous release, and of 3').toEqual(kept);
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});
