/** Restarts under load, and droplets that are taken out of rotation by hand. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dropletState, expectNoFailures, expectWhole, stateOf } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

const containerIds = () =>
  [...fleet.region.droplets.values()].flatMap(({ engine }) =>
    engine.containers({ 'com.docker.compose.project': 'shop' }).map(({ id }) => id),
  );

describe('restarts, and a droplet that is taken out by hand', { shuffle: false }, () => {
  const REASON = 'the disk is failing, ticket #42';

  it('a restart replaces every container under load, without a failed request', async () => {
    const before = new Set(containerIds());
    const load = fleet.load();
    const end = await fleet.run(['restart', 'sandbox', '--yes', '--json']);
    expectNoFailures(await load.stop());
    expect(end, end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'v1' } } });
    expect(containerIds().filter((id) => before.has(id))).toEqual([]);
    expect(expectWhole(fleet)).toBe('v1');
    const history = await fleet.run(['history', 'sandbox', '--json']);
    expect(history.events[0]).toMatchObject({ command: 'restart', outcome: 'succeeded' });
  });

  it('a restart replaces only the containers of a service', async () => {
    const before = containerIds();
    const end = await fleet.run(['restart', 'sandbox', 'app', '--yes', '--json']);
    expect(end, end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    const known = new Set(before);
    const fresh = containerIds().filter((id) => !known.has(id));
    expect(fresh.length).toBe(3);
    expect(fresh.length).toBeLessThan(before.length);
    expect(expectWhole(fleet)).toBe('v1');
    const wrong = await fleet.run(['restart', 'sandbox', 'appp', '--yes', '--json']);
    expect(wrong).toMatchObject({ code: 2, result: { error: { code: 'unknown-service' } } });
  });

  it('a service that serves the balancer is not stopped, and another one is, until a deploy starts it', async () => {
    const serviceIds = (service: string) =>
      [...fleet.region.droplets.values()].flatMap(({ engine }) =>
        engine
          .containers({ 'com.docker.compose.project': 'shop', 'com.docker.compose.service': service })
          .map(({ id }) => id),
      );
    const worker = '  worker:\n    image: docker.io/example/shop:$IMAGE_TAG\n    restart: unless-stopped\n';
    await appendFile(join(fleet.folder, 'compose/docker-compose.sandbox.yml'), worker);
    expect(await fleet.run(['sandbox', 'v1', '--yes'])).toMatchObject({ code: 0 });
    const refused = await fleet.run(['stop', 'sandbox', 'nginx', '--yes', '--json']);
    expect(refused).toMatchObject({ code: 2, result: { error: { code: 'service-serves' } } });
    const before = serviceIds('worker');
    const load = fleet.load();
    const end = await fleet.run(['stop', 'sandbox', 'worker', '--yes', '--json']);
    expect(end, end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(before.length).toBe(3);
    expect(serviceIds('worker')).toEqual([]);
    const status = await fleet.run(['status', 'sandbox']);
    expect(status.stdout).toContain('web-2: worker stopped by do-deploy stop\n');
    expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
    const again = await fleet.run(['restart', 'sandbox', '--yes', '--json']);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(serviceIds('worker')).toEqual([]);
    const started = await fleet.run(['start', 'sandbox', 'worker', '--yes', '--json']);
    expect(started, started.stderr).toMatchObject({ code: 0 });
    expect(serviceIds('worker').length).toBe(3);
    await fleet.run(['stop', 'sandbox', 'worker', '--yes']);
    const deployed = await fleet.run(['sandbox', 'v1', '--yes']);
    expect(deployed, deployed.stderr).toMatchObject({ code: 0 });
    expect(deployed.stdout).toContain('worker was stopped on web-1, web-2, web-3: it starts again.');
    expect(serviceIds('worker').length).toBe(3);
    expectNoFailures(await load.stop());
  });

  it('a droplet that is taken out leaves without a failed request, and says why in status', async () => {
    const load = fleet.load();
    const end = await fleet.run(['droplet', 'out', 'sandbox', 'web-2', '--reason', REASON, '--yes', '--json']);
    expectNoFailures(await load.stop());
    expect(end, end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(dropletState(fleet, 'web-2')).toMatchObject({
      rotation: 'out',
      served: false,
      recorded: true,
      version: 'v1',
    });
    const status = await fleet.run(['status', 'sandbox']);
    expect(status.stdout).toMatch(/web-2: out by hand \(\S+, \S+ \S+ UTC\): the disk is failing, ticket #42\n/);
    expect(status.stdout).not.toContain('do-deploy heal');
    const check = await fleet.run(['status', 'sandbox', '--check']);
    expect(check, check.stdout).toMatchObject({ code: 0 });
    expect(check.stdout).toContain(`: ${REASON}\n`);
    const again = await fleet.run(['droplet', 'out', 'sandbox', 'web-2', '--reason', 'again', '--yes']);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toMatch(
      /Nothing to do\. web-2 was taken out by hand \(.* UTC\): the disk is failing, ticket #42\./,
    );
  });

  it('it is left out by a deploy and by heal, also from another machine and while it is off', async () => {
    await fleet.region.droplet('web-2').setFaults({ ssh: 'refuse' });
    const load = fleet.load();
    const deployed = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    expectNoFailures(await load.stop());
    expect(deployed, deployed.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    const said = deployed.events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
    expect(said).toContainEqual(expect.stringMatching(/^web-2 was taken out by hand \(.*#42\. It stays out\.$/));
    const cwd = await fleet.freshCheckout();
    expect(await fleet.run(['heal', 'sandbox', '--yes', '--json'], { cwd })).toMatchObject({
      code: 0,
      result: { outcome: 'skipped' },
    });
    await fleet.region.droplet('web-2').clearFaults();
    expect(stateOf(fleet).map(({ rotation, version }) => `${rotation} ${version}`)).toEqual([
      'in v2',
      'out v1',
      'in v2',
    ]);
  });

  it('it comes back through the gates, on the release of the fleet', async () => {
    const load = fleet.load();
    const end = await fleet.run(['droplet', 'in', 'sandbox', 'web-2', '--yes', '--json']);
    expectNoFailures(await load.stop());
    expect(end, end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'v2' } } });
    expect(expectWhole(fleet)).toBe('v2');
    const tags = [...fleet.region.world.droplets.values()].flatMap((droplet) => [...droplet.tags]);
    expect(tags.filter((tag) => tag.includes(':by-hand:'))).toEqual([]);
    const again = await fleet.run(['droplet', 'in', 'sandbox', 'web-2', '--yes']);
    expect(again).toMatchObject({ code: 0 });
    expect(again.stdout).toContain('Nothing to do. web-2 is in rotation.');
  });

  it('taking one out needs a reason', async () => {
    const end = await fleet.run(['droplet', 'out', 'sandbox', 'web-2', '--yes']);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain('do-deploy droplet out sandbox web-2 --yes --reason TEXT');
  });
});
