import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { step } from './lab/command.js';
import { Fleet } from './lab/fleet.js';

const NO_FAILURE = { failed: 0, failures: [] };

describe('a deploy that is disturbed', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());
  beforeEach(() => fleet.balancer.watchServing());

  it('(killed while it switches a droplet) is made good by heal', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    deploy.child.kill('SIGKILL');
    await deploy.ended;
    expect((await fleet.rotation()).inLedger).toEqual(['web-1']);

    // The dead run's lease lasts until its droplets notice: at most 15 s.
    const heal = await fleet.run(['heal', 'production', '--json', '--wait-lock', '1m']);
    expect(heal).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect(fleet.balancer.fewestServing).toBe(1);
  });

  it('(a second deployer at the same time) goes on, and the second one is told who is at it', async () => {
    const load = fleet.load();
    const first = fleet.startDeploy('v3');
    await first.event(step('step-started', 'web-1', 'leave'));
    const second = await fleet.run(['deploy', 'production', 'v2', '--yes', '--json']);
    expect(second).toMatchObject({ code: 3, result: { outcome: 'failed', error: { code: 'lease-held' } } });
    expect(await first.ended).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('(stopped with Ctrl-C) brings the droplet in hand to a safe end', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    deploy.child.kill('SIGINT');
    expect(await deploy.ended).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect((await fleet.versions())['web-2']).toBe('v3');
  });

  it('(its connection is reset while it switches a droplet) connects again and goes on', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v1');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    const machine = fleet.machine('web-1');
    await machine.must('iptables -I INPUT -p tcp --dport 22 -j REJECT --reject-with tcp-reset');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await machine.must('iptables -D INPUT -p tcp --dport 22 -j REJECT --reject-with tcp-reset');
    const end = await deploy.ended;
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
  });

  it('(Docker is restarted while it switches a droplet) ends with the fleet whole', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    await fleet.machine('web-1').must('kill "$(cat /run/docker.pid)"');
    const end = await deploy.ended;
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    // Whether `up` was cut or the restart came just before it, nobody can tell.
    expect(end.result?.outcome).toMatch(/^(succeeded|failed)$/);
    expect(end.result?.rows.map(({ outcome }) => outcome)).not.toContain('deploy failed');
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('(a droplet’s packets are dropped while it switches it) gives up in time, and heal brings the droplet back', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v3');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    const machine = fleet.machine('web-1');
    await machine.must('iptables -I INPUT -p tcp --dport 22 -j DROP');
    const end = await deploy.ended;
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', next: 'do-deploy heal production' } });
    expect((await fleet.rotation()).inLedger).toEqual(['web-1']);

    await machine.must('iptables -D INPUT -p tcp --dport 22 -j DROP');
    const heal = await fleet.run(['heal', 'production', '--json', '--wait-lock', '1m']);
    expect(heal).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });
});
