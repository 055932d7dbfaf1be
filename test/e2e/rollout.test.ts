import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './lab/fleet.js';
import { watchGates } from './lab/gates.js';
import { nginxConf } from './lab/project.js';

const DEPLOYED = { code: 0, result: { outcome: 'succeeded' } };
const NO_FAILURE = { failed: 0, failures: [] };

describe('three droplets behind a balancer that checks every 2 seconds', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ effectDelayMs: 1_000, healthCheck: { intervalSeconds: 2 } });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  /** What each droplet answers: the file in its volume, and a header of its nginx.conf. */
  const pages = () =>
    Promise.all(
      fleet.machines.map(async ({ privateAddress }) => {
        const page = await fetch(`http://${privateAddress}/uploads`);
        return { photo: await page.text(), shop: page.headers.get('x-shop') };
      }),
    );

  it('go from v1 to v2 without a failed request, with two serving at any time', async () => {
    for (const machine of fleet.machines) {
      await machine.must(`docker exec shop-app-1 sh -c 'echo photo of ${machine.name} >/app/uploads/photo'`);
    }
    await fleet.project.write('config/nginx/nginx.conf', nginxConf('add_header X-Shop renewed;'));
    // Some requests are in progress when their droplet leaves, also on kept-alive connections.
    const load = fleet.load({ slowMs: 5_000, slowEvery: 10 });
    const deploy = fleet.startDeploy('v2');
    const gates = watchGates(fleet, deploy);
    expect(await deploy.ended).toMatchObject(DEPLOYED);
    const report = await load.stop();

    expect(report).toMatchObject(NO_FAILURE);
    expect(report.total).toBeGreaterThan(300);
    expect(report.byKind.slow).toBeGreaterThan(20);
    expect(report.byVersion).toMatchObject({ v1: expect.any(Number), v2: expect.any(Number) });
    expect(fleet.balancer.fewestServing).toBe(2);
    expect(await gates()).toEqual(['drained: 2 up', 'settled: 3 up'].flatMap((gate) => [gate, gate, gate]).sort());
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect(fleet.world.unknownRequests).toEqual([]);
    expect(await pages()).toEqual(fleet.machines.map(({ name }) => ({ photo: `photo of ${name}\n`, shop: 'renewed' })));
  });

  it('are not changed if they already run the release', async () => {
    const load = fleet.load();
    fleet.balancer.watchServing();
    const end = await fleet.deploy('v2');
    expect(end).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(end.events.filter((event) => event.type === 'step-started' && event.step === 'leave')).toEqual([]);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(fleet.balancer.fewestServing).toBe(3);
  });

  it('go back to v1 without the registry, and keep their volumes', async () => {
    for (const machine of fleet.machines) await machine.must('iptables -I OUTPUT -p tcp --dport 5000 -j REJECT');
    const load = fleet.load();
    const end = await fleet.run(['rollback', 'production', 'v1', '--yes', '--json']);
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(end).toMatchObject(DEPLOYED);
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
    // The nginx.conf is the one of v1.
    expect(await pages()).toEqual(fleet.machines.map(({ name }) => ({ photo: `photo of ${name}\n`, shop: null })));
  });
});
