import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ALL } from '../support/some-of.js';
import { step } from './lab/command.js';
import { Fleet } from './lab/fleet.js';

const NO_FAILURE = { failed: 0, failures: [] };

/** Similar faults are played in the sandbox. */
const inFull = ALL ? it : () => {};

describe('a disturbed deploy', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());
  beforeEach(() => fleet.balancer.watchServing());

  it('is repaired by heal if it was killed during a switch', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    deploy.child.kill('SIGKILL');
    await deploy.ended;
    expect((await fleet.rotation()).inLedger).toEqual(['web-1']);

    // The killed run's lease lasts until its droplets notice: at most 15 s.
    const heal = await fleet.run(['heal', 'production', '--json', '--wait-lock', '1m']);
    expect(heal).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect(fleet.balancer.fewestServing).toBe(1);
  });

  inFull('continues while a second deploy is refused', async () => {
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

  inFull('finishes the current droplet safely after Ctrl-C', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    deploy.child.kill('SIGINT');
    expect(await deploy.ended).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    expect(await fleet.rotation()).toEqual(fleet.whole);
    expect((await fleet.versions())['web-2']).toBe('v3');
  });

  inFull('reconnects and continues if its connection is reset during a switch', async () => {
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

  it('ends with the fleet whole if Docker is restarted during a switch', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-1', 'switch'));
    await fleet.machine('web-1').must('kill "$(cat /run/docker.pid)"');
    const end = await deploy.ended;
    expect(await load.stop()).toMatchObject(NO_FAILURE);
    // The restart may have come before `up` or in the middle of it.
    expect(end.result?.outcome).toMatch(/^(succeeded|failed)$/);
    expect(end.result?.rows.map(({ outcome }) => outcome)).not.toContain('deploy failed');
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  inFull('gives up in time if packets are dropped during a switch, and heal restores the droplet', async () => {
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
