import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

const NO_FAILURE = { failed: 0, failures: [] };
const CURRENT = '/root/do-deploy/shop/current';
/** Starts another tag with the current release's compose files, without do-deploy. */
const UP_V2 = `cd ${CURRENT}
export APP=shop DEPLOY_ENV=production IMAGE_TAG=v2 ENV_FILES='config/.env.common config/.env.production'
export COMPOSE_FILES='compose/docker-compose.yml compose/docker-compose.production.yml'
sh scripts/start-up.sh up`;

describe('three releases on two droplets with keep_releases: 2', { shuffle: false }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, later: 1, settings: { keep_releases: 2 } });
    await fleet.deployFirst('v1');
    await fleet.machine('web-1').must("docker exec shop-app-1 sh -c 'echo kept >/app/uploads/photo'");
    for (const release of ['v2', 'v3']) {
      expect(await fleet.deployAtOnce(release)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    }
  });
  afterAll(() => fleet.stop());

  const check = () => fleet.run(['status', 'production', '--check']);

  it('the oldest is removed with its image, the volume is kept', async () => {
    for (const machine of fleet.machines) {
      const releases = await machine.must('ls /root/do-deploy/shop/releases');
      expect(
        releases
          .trim()
          .split('\n')
          .map((id) => id.replace(/^.*Z-/, '')),
      ).toEqual(['v2', 'v3']);
      const images = await machine.must(
        "docker image ls --no-trunc --format '{{.ID}} {{.Repository}}' | grep /shop | sort -u",
      );
      expect(images.trim().split('\n')).toHaveLength(2);
    }
    const photo = await fleet.machine('web-1').must('docker exec shop-app-1 cat /app/uploads/photo');
    expect(photo).toBe('kept\n');
  });

  it('manual changes are reported one per line, and corrected', async () => {
    expect(await check()).toMatchObject({ code: 0, stderr: '' });

    await fleet.machine('web-1').must(`echo '# by hand' >>${CURRENT}/config/nginx/nginx.conf`);
    await fleet.machine('web-2').must('docker stop -t 1 shop-app-1');
    const drift = await check();
    expect(drift).toMatchObject({ code: 4, stderr: '' });
    expect(drift.stdout).toMatch(/^web-1: config\/nginx\/nginx\.conf has changed since it was deployed/m);
    expect(drift.stdout).toMatch(/^web-2: app was stopped, and not started again/m);

    expect(await fleet.run(['heal', 'production', '--json'])).toMatchObject({ code: 0 });
    expect(await fleet.run(['adopt', 'production', '--json'])).toMatchObject({ code: 0 });
    expect(await check()).toMatchObject({ code: 0 });
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('another image and a droplet missing from the balancer are reported; adopt corrects the image', async () => {
    const [, web2] = [...fleet.world.droplets.values()];
    await fleet.machine('web-1').must(UP_V2);
    fleet.world.removeFromBalancer(fleet.record.id, [web2?.id ?? 0]);
    const drift = await check();
    expect(drift).toMatchObject({ code: 4, stderr: '' });
    expect(drift.stdout).toMatch(/^web-1: app runs image sha256:\w+ instead of sha256:\w+ \(\S+\/shop:v3\)$/m);
    expect(drift.stdout).toMatch(/^web-2: is no longer behind load balancer "web"/m);

    fleet.world.addToBalancer(fleet.record.id, [web2?.id ?? 0]);
    await fleet.balancer.allUp();
    const load = fleet.load();
    expect(await fleet.run(['adopt', 'production', '--json'])).toMatchObject({ code: 0 });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await check()).toMatchObject({ code: 0 });
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
  });

  it('a droplet that is created during a deploy is reported, and adopted', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    let joined: Promise<unknown> | undefined;
    deploy.onEvent((event) => {
      if (event.type === 'batch-started') joined ??= fleet.join();
    });
    const end = await deploy.ended;
    await joined;
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded', next: 'do-deploy adopt production' } });
    expect(end.events).toContainEqual(expect.objectContaining({ type: 'notice', droplet: 'web-3' }));
    const drift = await check();
    expect(drift).toMatchObject({ code: 4 });
    expect(drift.stdout).toMatch(/^web-3: runs no release/m);

    const adopted = await fleet.run(['adopt', 'production', '--json']);
    expect(adopted).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(adopted.result?.rows.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['web-1', 'up to date'],
      ['web-2', 'up to date'],
      ['web-3', 'deployed'],
    ]);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect(await check()).toMatchObject({ code: 0 });
  });

  it('history is the same from another machine', async () => {
    const ask = ['history', 'production', '--json'];
    const here = await fleet.run(ask);
    expect(here).toMatchObject({ code: 0, stderr: '' });
    expect(await fleet.run(ask, await fleet.elsewhere())).toMatchObject({ code: 0, stdout: here.stdout });
    const entries = here.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { command: string; imageTag: string; outcome: string });
    expect(entries.map(({ command, imageTag, outcome }) => `${command} ${imageTag} ${outcome}`)).toEqual(
      expect.arrayContaining([
        'deploy v3 succeeded',
        'adopt v3 succeeded',
        'deploy v2 succeeded',
        'adopt v2 succeeded',
      ]),
    );
  });
});
