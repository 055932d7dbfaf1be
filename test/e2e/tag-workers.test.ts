import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandEnd } from './lab/command.js';
import { Fleet } from './lab/fleet.js';

const TAG = 'workers';

describe('two workers by a tag', { shuffle: false }, () => {
  let fleet: Fleet;
  beforeAll(async () => {
    // The balancer takes no part.
    fleet = await Fleet.start({ droplets: 2 });
    fleet.world.createTag(TAG);
    fleet.world.tagDroplets(TAG, [...fleet.world.droplets.keys()]);
    const http = { port: 80, path: '/healthz' };
    await fleet.project.configure({ environments: { production: { tag: TAG, rollout: { health: { http } } } } });
    const first = await fleet.deploy('v1');
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
  });
  afterAll(() => fleet.stop());

  const batches = ({ events }: CommandEnd) =>
    events.flatMap((event) => (event.type === 'batch-started' ? [event.droplets.join()] : []));

  it('get the release one after the other', async () => {
    const end = await fleet.deploy('v2');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(batches(end)).toEqual(['web-1', 'web-2']);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect((await fleet.rotation()).inLedger).toEqual([]);
  });

  it('keep their release where the first fails with the new one', async () => {
    const end = await fleet.deploy('broken');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(batches(end)).toEqual(['web-1']);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect((await fleet.rotation()).inLedger).toEqual([]);
  });

  it('of a run that was killed are recorded, and heal restores them from another machine', async () => {
    const run = fleet.startDeploy('v3');
    await run.event((event) => event.type === 'step-started' && event.step === 'health' && event.droplet === 'web-1');
    run.child.kill('SIGKILL');
    await run.ended;
    expect((await fleet.rotation()).inLedger).toEqual(['web-1']);
    const end = await fleet.run(['heal', 'production', '--json'], await fleet.elsewhere());
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0 });
    expect((await fleet.rotation()).inLedger).toEqual([]);
    expect(await fleet.differences()).toEqual([]);
  });
});
