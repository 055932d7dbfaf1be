import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';
import { moveTag } from './lab/registry.js';

const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };

describe("droplets with Docker's classic image store and with containerd's", { shuffle: false }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, later: 1, containerdStore: ['web-2', 'web-3'] });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('run the same release, although its images have different ids', async () => {
    expect(await fleet.deployAtOnce('v2')).toMatchObject(DEPLOYED);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    const ids = await Promise.all(fleet.machines.map((one) => one.must("docker inspect -f '{{.Image}}' shop-app-1")));
    expect(new Set(ids).size, ids.join()).toBe(2);
    expect(await fleet.deployAtOnce('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await fleet.differences()).toEqual(['docker-differs']);
  });

  it('roll back without the registry, also to an image whose tag has moved', async () => {
    await moveTag('latest', 'v3');
    expect(await fleet.deployAtOnce('latest')).toMatchObject(DEPLOYED);
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    await moveTag('latest', 'v2');
    expect(await fleet.deployAtOnce('latest')).toMatchObject(DEPLOYED);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));

    for (const machine of fleet.machines) await machine.must('iptables -I OUTPUT -p tcp --dport 5000 -j REJECT');
    const end = await fleet.run(['rollback', 'production', '--yes', '--json']);
    for (const machine of fleet.machines) await machine.must('iptables -D OUTPUT -p tcp --dport 5000 -j REJECT');
    expect(end).toMatchObject({ code: 0 });
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect((await fleet.rotation()).inLedger).toEqual([]);
  });

  it('adopt a droplet with either store', async () => {
    await fleet.join();
    expect(await fleet.run(['adopt', 'production', '--json'])).toMatchObject(DEPLOYED);
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await fleet.differences()).toEqual(['docker-differs']);
  });

  it('keep the release of a droplet whose store is switched', async () => {
    const machine = fleet.machine('web-2');
    // Back to the classic store: the images are pulled again, and have other ids.
    await machine.must(
      'echo \'{}\' >/etc/docker/daemon.json; docker rm -f $(docker ps -aq); kill "$(cat /run/docker.pid)"',
    );
    await machine.must('until timeout 2 docker version >/dev/null 2>&1; do sleep 0.2; done');
    await moveTag('latest', 'v3');
    expect(await fleet.deployAtOnce('latest')).toMatchObject(DEPLOYED);
    expect(await fleet.deployAtOnce('latest')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
  });
});
