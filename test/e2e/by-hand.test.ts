/** Restarts under load, and a droplet that is taken out of rotation by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';

const WORKER = `services:
  worker:
    image: \${APP_IMAGE}:\${IMAGE_TAG}
    restart: always
    entrypoint: [/bin/sh, -c, 'trap "exit 0" TERM; while :; do sleep 1 & wait; done']
`;

describe('a fleet of three', { shuffle: false }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 3 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  /** What compose made on each droplet. */
  const containers = async () => {
    const names = [...fleet.world.droplets.values()].map(({ name }) => name);
    const ids = await Promise.all(names.map((name) => fleet.machine(name).must('docker ps -q --no-trunc')));
    return ids.flatMap((text) => text.split('\n').filter(Boolean));
  };

  const underLoad = async (args: string[]) => {
    const load = fleet.load();
    const end = await fleet.run([...args, '--yes', '--json']);
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    return end;
  };

  it('restarts without a failed request, and keeps its release', async () => {
    const before = new Set(await containers());
    const end = await underLoad(['restart', 'production']);
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect((await containers()).filter((id) => before.has(id))).toEqual([]);
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('takes a droplet out by hand without a failed request', async () => {
    const end = await underLoad(['droplet', 'out', 'production', 'web-2', '--reason', 'the disk is failing']);
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await fleet.rotation()).toMatchObject({ members: 2, inLedger: ['web-2'] });
    const status = await fleet.run(['status', 'production']);
    expect(status.stdout).toContain(': the disk is failing\n');
  });

  it('leaves it out in a deploy, in heal from another machine, and in a restart', async () => {
    const deployed = await underLoad(['deploy', 'production', 'v2']);
    expect(deployed, deployed.stdout + deployed.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    const healed = await fleet.run(['heal', 'production', '--yes', '--json'], await fleet.elsewhere());
    expect(healed, healed.stdout + healed.stderr).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await underLoad(['restart', 'production', 'app'])).toMatchObject({ code: 0 });
    expect(await fleet.rotation()).toMatchObject({ members: 2, inLedger: ['web-2'] });
    expect(await fleet.versions()).toEqual({ 'web-1': 'v2', 'web-2': 'v1', 'web-3': 'v2' });
    expect(await fleet.differences(), 'no drift').toEqual([]);
  });

  it('brings it back through the gates, on the release that the fleet runs by now', async () => {
    const end = await underLoad(['droplet', 'in', 'production', 'web-2']);
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect(await fleet.differences()).toEqual([]);
  });
  it('stops a worker through restart and heal, until a deploy starts it again', async () => {
    const extra = 'compose/docker-compose.extra.yml';
    await fleet.project.write(extra, WORKER);
    await fleet.project.configure({
      compose: ['compose/docker-compose.yml', 'compose/docker-compose.production.yml', extra],
    });
    expect(await fleet.deploy('v1')).toMatchObject({ code: 0 });
    const workers = async () => {
      const list = 'docker ps --all --quiet --filter label=com.docker.compose.service=worker | wc -l';
      return await Promise.all(fleet.machines.map(async (machine) => Number(await machine.must(list))));
    };
    expect(await workers()).toEqual([1, 1, 1]);
    const end = await underLoad(['stop', 'production', 'worker']);
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await workers()).toEqual([0, 0, 0]);
    expect(await underLoad(['restart', 'production'])).toMatchObject({ code: 0 });
    const healed = await fleet.run(['heal', 'production', '--yes', '--json']);
    expect(healed).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await workers()).toEqual([0, 0, 0]);
    expect(await fleet.differences()).toEqual([]);
    expect(await underLoad(['start', 'production', 'worker'])).toMatchObject({ code: 0 });
    expect(await workers()).toEqual([1, 1, 1]);
    expect(await underLoad(['stop', 'production', 'worker'])).toMatchObject({ code: 0 });
    expect(await fleet.deploy('v2')).toMatchObject({ code: 0 });
    expect(await workers()).toEqual([1, 1, 1]);
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});
