import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { step } from './lab/command.js';
import { Fleet } from './lab/fleet.js';

describe('heal after a deploy that failed on the second droplet', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 3 });
    await fleet.deployFirst('v1');
    expect(await fleet.deploy('v2')).toMatchObject({ code: 0 });
  });
  afterAll(() => fleet.stop());

  it('does not return a droplet to an older release than it has proven, unless it says why', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v3');
    await deploy.event(step('step-started', 'web-2', 'switch'));
    await fleet.machine('web-2').must('kill -9 "$(cat /run/docker.pid)"');
    const end = await deploy.ended;
    const before = await fleet.versions();
    expect(before['web-1'], 'proven').toBe('v3');

    const heal = await fleet.run(['heal', 'production', '--json', '--wait-lock', '1m']);
    expect(heal).toMatchObject({ code: 0 });
    expect(await fleet.rotation()).toEqual(fleet.whole);
    const after = await fleet.versions();
    const explained = heal.events.some((event) => event.type === 'notice' && event.message.includes('web-1'));
    expect(after['web-1'] === 'v3' || explained, JSON.stringify({ end: end.result, before, after })).toBe(true);
    expect((await load.stop()).failed).toBe(0);
  });
});
