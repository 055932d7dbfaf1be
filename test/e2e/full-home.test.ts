import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { step } from './lab/command.js';
import { Fleet } from './lab/fleet.js';

/** Writes until there is no room left. */
const FILL = 'dd if=/dev/zero of=/root/do-deploy/ballast bs=64k 2>/dev/null || :';

describe("a droplet whose SSH user's home is full", () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 2, homeMegabytes: 8 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('is put back as it is if its home fills up after staging', async () => {
    const load = fleet.load();
    const deploy = fleet.startDeploy('v2');
    await deploy.event(step('step-started', 'web-1', 'leave'));
    await fleet.machine('web-1').must(FILL);
    const end = await deploy.ended;
    await fleet.machine('web-1').must('rm /root/do-deploy/ballast');
    expect(await load.stop()).toMatchObject({ failed: 0, failures: [] });
    expect(end).toMatchObject({
      code: 1,
      result: { outcome: 'failed', error: { code: 'home-full', droplet: 'web-1' } },
    });
    expect(await fleet.versions()).toEqual(fleet.all('v1'));
    expect(await fleet.rotation()).toEqual(fleet.whole);
  });

  it('is reported before anything leaves rotation if it is full from the beginning', async () => {
    await fleet.machine('web-2').must(FILL);
    const end = await fleet.deploy('v2');
    await fleet.machine('web-2').must('rm /root/do-deploy/ballast');
    expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { droplet: 'web-2' } } });
    expect(`${end.result?.error?.message} ${end.result?.error?.hint}`).toMatch(/disk|room/i);
    expect(end.events.filter(({ type }) => type === 'batch-started')).toEqual([]);
    expect(await fleet.deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  });
});
