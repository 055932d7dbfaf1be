/** Two web droplets behind the balancer and one worker by a tag, which get a release together. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CommandEnd } from './lab/command.js';
import { Fleet } from './lab/fleet.js';

const TAG = 'shop-worker';
const WEB = ['web-1', 'web-2'];
const WORKER = 'web-3';

describe('a web role and a worker role', { shuffle: false }, () => {
  let fleet: Fleet;
  const configure = (rollout: object = {}) =>
    fleet.project.configure({
      environments: {
        production: {
          roles: {
            web: { load_balancer: fleet.record.name },
            worker: { tag: TAG },
          },
          rollout,
        },
      },
    });
  beforeAll(async () => {
    fleet = await Fleet.start({ droplets: 3 });
    const { world, record } = fleet;
    const worker = [...world.droplets.values()].find(({ name }) => name === WORKER);
    if (worker === undefined) throw new Error(`no droplet ${WORKER}`);
    world.removeFromBalancer(record.id, [worker.id]);
    world.createTag(TAG);
    world.tagDroplets(TAG, [worker.id]);
    await configure();
    const first = await fleet.deploy('v1');
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
  });
  afterAll(() => fleet.stop());

  const batches = ({ events }: CommandEnd) =>
    events.flatMap((event) => (event.type === 'batch-started' ? [event.droplets.join()] : []));

  it('get the release role by role', async () => {
    const end = await fleet.deploy('v2');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(batches(end)).toEqual([...WEB, WORKER]);
    expect(end.result?.rows.map(({ role }) => role)).toEqual(['web', 'web', 'worker']);
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
    expect(await fleet.differences()).toEqual([]);
  });

  it('of a run that was killed at the worker are restored by heal, from another machine', async () => {
    const run = fleet.startDeploy('v3');
    await run.event((event) => event.type === 'step-started' && event.step === 'health' && event.droplet === WORKER);
    run.child.kill('SIGKILL');
    await run.ended;
    const healed = await fleet.run(['heal', 'production', '--json'], await fleet.elsewhere());
    expect(healed, healed.stdout + healed.stderr).toMatchObject({ code: 0 });
    const end = await fleet.deploy('v3');
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0 });
    expect(await fleet.versions()).toEqual(fleet.all('v3'));
    expect(await fleet.differences()).toEqual([]);
  });

  it('go back to one release together', async () => {
    const end = await fleet.run(['rollback', 'production', '--yes', '--json']);
    expect(end, end.stdout + end.stderr).toMatchObject({ code: 0 });
    expect(await fleet.versions()).toEqual(fleet.all('v2'));
  });
});
