import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

const NO_FAILURE = { failed: 0, failures: [] };
const CURRENT = '/root/do-deploy/shop/current';

describe('three releases on two droplets that keep two', { shuffle: false }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, settings: { keep_releases: 2 } });
    await fleet.deployFirst('v1');
    await fleet.machine('web-1').must("docker exec shop-app-1 sh -c 'echo kept >/app/uploads/photo'");
    for (const release of ['v2', 'v3']) {
      expect(await fleet.deploy(release)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    }
  });
  afterAll(() => fleet.stop());

  const check = () => fleet.run(['status', 'production', '--check']);

  it('the oldest is gone with its image, the volume is there', async () => {
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

  it('what somebody has changed by hand is told, a line each, and mended', async () => {
    expect(await check()).toMatchObject({ code: 0, stderr: '' });

    await fleet.machine('web-1').must(`echo '# by hand' >>${CURRENT}/config/nginx/nginx.conf`);
    await fleet.machine('web-2').must('docker stop -t 1 shop-app-1');
    const drift = await check();
    expect(drift).toMatchObject({ code: 4, stderr: '' });
    expect(drift.stdout).toMatch(/^web-1: config\/nginx\/nginx\.conf is not as it was deployed/m);
    expect(drift.stdout).toMatch(/^web-2: app exited/m);

    expect(await fleet.run(['heal', 'production', '--json'])).toMatchObject({ code: 0 });
    expect(await fleet.run(['adopt', 'production', '--json'])).toMatchObject({ code: 0 });
    expect(await check()).toMatchObject({ code: 0 });
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('a droplet with another image, and one without any release, are told and adopted', async () => {
    const web2 = fleet.machine('web-2');
    await web2.must('docker rm -f $(docker ps -aq) && rm -rf /root/do-deploy/shop');
    const drift = await check();
    expect(drift).toMatchObject({ code: 4 });
    expect(drift.stdout).toMatch(/^web-2: runs no release/m);

    const load = fleet.load();
    const end = await fleet.run(['adopt', 'production', '--json']);
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(end.result?.rows.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['web-1', 'up to date'],
      ['web-2', 'deployed'],
    ]);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('history is the same from wherever it is asked, newest first', async () => {
    const { stdout, code } = await fleet.run(['history', 'production', '--json']);
    expect(code).toBe(0);
    const entries = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { command: string; imageTag: string; outcome: string });
    expect(entries.map(({ command, imageTag, outcome }) => `${command} ${imageTag} ${outcome}`)).toEqual(
      expect.arrayContaining(['deploy v2 succeeded', 'deploy v3 succeeded', 'adopt v3 succeeded']),
    );
  });
});
