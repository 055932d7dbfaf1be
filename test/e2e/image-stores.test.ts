import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';
import { PRIVATE_REGISTRY, REGISTRY } from './lab/region.js';
import { moveTag, pushClaiming } from './lab/registry.js';

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

  it('refuse a pull that does not fit on the disk', async () => {
    await pushClaiming(9e11, 'huge', 'oom');
    const end = await fleet.deploy('huge');
    expect(end).toMatchObject({ code: 1, result: { error: { code: 'disk-full', droplet: 'web-1', step: 'upload' } } });
    expect(end.result?.error?.message).toMatch(/ of room for images, and the pull needs at least 1676\.4 GB\.$/);
    expect(end.events.filter(({ type }) => type === 'batch-started')).toEqual([]);
  });

  it('lose the images of deploys that failed while staging, and nothing else', async () => {
    const names = (machine: string) =>
      fleet.machine(machine).must("docker image ls --format '{{.Repository}}:{{.Tag}}'");
    const failures = [
      { tag: 'slow-start', fails: 'web-2', pulls: 'web-1' },
      { tag: 'late-crash', fails: 'web-1', pulls: 'web-2' },
    ];
    for (const { tag, fails, pulls } of failures) {
      // Led to a registry that requires a login.
      const rule = `OUTPUT -t nat -p tcp --dport 5000 -j DNAT --to-destination ${PRIVATE_REGISTRY}`;
      await fleet.machine(fails).must(`iptables -I ${rule}`);
      const end = await fleet.deploy(tag);
      await fleet.machine(fails).must(`iptables -D ${rule}`);
      expect(end).toMatchObject({ code: 1, result: { error: { code: 'pull-failed', droplet: fails } } });
      expect(await names(pulls)).toContain(`${REGISTRY}/shop:${tag}`);
      await fleet.machine(pulls).must(`docker image tag ${REGISTRY}/shop:${tag} by-hand:${tag}`);
    }
    await fleet.machine('web-2').must('docker image rm by-hand:late-crash');

    expect(await fleet.deployAtOnce('v1')).toMatchObject(DEPLOYED);
    for (const machine of ['web-1', 'web-2']) {
      expect(await names(machine)).not.toMatch(/shop:(slow-start|late-crash)/);
      const listed = await fleet.machine(machine).must('cat /root/do-deploy/*/releases/*/release.json');
      const kept = [...(await names(machine)).matchAll(/:do-deploy-(\w+)/g)].map(([, id]) => id);
      expect(kept.length).toBeGreaterThan(0);
      for (const id of kept) expect(listed).toContain(`sha256:${id}`);
    }
    expect(await names('web-1'), 'a name in another repository, with its image').toContain('by-hand:slow-start');
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
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
