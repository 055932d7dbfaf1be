/** Complete restarts in virtual time. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('restart');
});
afterAll(removeCopies);

type World = ReturnType<Awaited<ReturnType<typeof smallFleets>>>['world'];
const containersOf = ({ droplets }: World) =>
  [...droplets.values()].map(({ containers }) => containers.map(({ id, service }) => ({ id, service })));

it('starts every container anew, on the release that its droplet runs', async () => {
  const { world, run, runs } = fleetOf({ fleet: 3 });
  const before = containersOf(world);
  const end = await run('restart');
  expect(end).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(end?.rows.map(({ outcome }) => outcome)).toEqual(['deployed', 'deployed', 'deployed']);
  expect(runs()).toEqual(['v1', 'v1', 'v1']);
  const known = new Set(before.flat().map(({ id }) => id));
  expect(
    containersOf(world)
      .flat()
      .filter(({ id }) => known.has(id)),
  ).toEqual([]);
  expect(world.monitor.violations).toEqual([]);
});

it('leaves a held canary on its release', async () => {
  const { run, runs } = fleetOf({ fleet: 3 });
  await run('deploy', 'v3', { canary: 1 });
  expect(runs()).toEqual(['v3', 'v1', 'v1']);
  expect(await run('restart')).toMatchObject({ outcome: 'succeeded', held: { imageTag: 'v3', droplets: ['web-1'] } });
  expect(runs()).toEqual(['v3', 'v1', 'v1']);
});

it('starts only the containers of a service, and names the services where there is none of that name', async () => {
  const { world, run } = fleetOf({ app: 'full' });
  const before = containersOf(world);
  expect(await run('restart', 'worker')).toMatchObject({ outcome: 'succeeded' });
  for (const [index, containers] of containersOf(world).entries()) {
    const known = new Set(before[index]?.map(({ id }) => id));
    expect(containers.filter(({ id }) => !known.has(id)).map(({ service }) => service)).toEqual(['worker']);
    expect(containers.length).toBe(before[index]?.length);
  }
  const unknown = await run('restart', 'wroker');
  expect(unknown).toMatchObject({ outcome: 'failed', error: { code: 'unknown-service', source: 'user' } });
  expect(unknown?.error?.hint).toContain('worker');
});

it('refuses a fleet that has to be repaired first, with the command', async () => {
  const { run, runs } = fleetOf({ fleet: 3 });
  const crash = { call: 'switch', nth: 0, applied: true, power: false };
  await run('deploy', 'v3', { crash });
  const before = runs();
  expect(await run('restart')).toMatchObject({
    outcome: 'failed',
    error: { code: 'not-whole', source: 'user', hint: 'Repair the fleet first: do-deploy heal production' },
  });
  expect(runs()).toEqual(before);
  await run('heal');
  expect(await run('restart')).toMatchObject({ outcome: 'succeeded' });
});

it('a restart that failed, or died, goes to no other release: neither by itself nor by heal', async () => {
  const { run, runs } = fleetOf({ fleet: 4 });
  await run('deploy', 'v3', { canary: 1 });
  const broken = { faults: [{ call: 'switch', nth: 0, fault: 'fails' as const, applied: false, roll: 0.5 }] };
  const failed = await run('restart', '', broken);
  expect(failed).toMatchObject({ outcome: 'failed', next: 'do-deploy heal production' });
  expect(failed?.summary).toMatch(/web-1 stays on its release: a restart goes to no other one\.$/);
  expect(runs()).toEqual(['v3', 'v1', 'v1', 'v1']);
  expect(await run('heal')).toMatchObject({ outcome: 'succeeded' });
  expect(runs()).toEqual(['v3', 'v1', 'v1', 'v1']);

  const crash = { call: 'switch', nth: 0, applied: true, power: false };
  expect(await run('restart', '', { crash })).toBeUndefined();
  await run('heal');
  expect(runs()).toEqual(['v3', 'v1', 'v1', 'v1']);
});

it('after Ctrl-C it names the command that goes on', async () => {
  const { run } = fleetOf({ fleet: 3, app: 'full' });
  expect(await run('restart', 'worker', { interrupt: { call: 'confirm', nth: 0 } })).toMatchObject({
    outcome: 'interrupted',
    next: 'do-deploy restart production worker',
  });
});

describe('a service that is stopped', () => {
  const services = (world: World) =>
    containersOf(world).map((all) => [...new Set(all.map(({ service }) => service))].sort());

  it('has no containers, and stays so through restart and heal, until it is started', async () => {
    const { world, run } = fleetOf({ app: 'full' });
    const all = services(world);
    const others = all.map((names) => names.filter((name) => name !== 'worker'));
    expect(await run('stop', 'worker')).toMatchObject({ outcome: 'succeeded' });
    expect(services(world)).toEqual(others);
    expect(await run('stop', 'worker')).toMatchObject({
      outcome: 'skipped',
      summary: expect.stringContaining('stopped already'),
    });
    expect(await run('restart')).toMatchObject({ outcome: 'succeeded' });
    expect(services(world)).toEqual(others);
    expect(await run('heal')).toMatchObject({ outcome: 'skipped' });
    const crash = { call: 'switch', nth: 0, applied: true, power: false };
    await run('restart', '', { crash });
    expect(await run('heal')).toMatchObject({ outcome: 'succeeded' });
    expect(services(world)).toEqual(others);
    expect(await run('restart', 'worker')).toMatchObject({ outcome: 'failed', error: { code: 'service-stopped' } });
    expect(await run('start', 'worker')).toMatchObject({ outcome: 'succeeded' });
    expect(services(world)).toEqual(all);
    expect(await run('start', 'worker')).toMatchObject({ outcome: 'skipped' });
    expect(world.monitor.violations).toEqual([]);
  });

  it('is started again by a deploy, also of the same release', async () => {
    const { world, run } = fleetOf({ app: 'full' });
    const all = services(world);
    await run('stop', 'worker');
    await run('deploy', 'v3');
    expect(services(world)).toEqual(all);
    await run('stop', 'worker');
    expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
    expect(services(world)).toEqual(all);
  });

  it('is stopped again where a deploy fails and its droplet goes back', async () => {
    const { world, run, runs } = fleetOf({ app: 'full' });
    await run('stop', 'worker');
    const before = services(world);
    expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
    expect(runs()).toEqual(['v1', 'v1']);
    expect(services(world)).toEqual(before);
  });

  it('runs again where its droplet was not healthy without it, once that is healed', async () => {
    const { world, run } = fleetOf({ app: 'full' });
    const all = services(world);
    const crash = { call: 'switch', nth: 0, applied: true, power: false };
    await run('stop', 'worker', { crash });
    expect(await run('heal')).toMatchObject({ outcome: 'succeeded' });
    expect(services(world)).toEqual(all);
  });

  it('cannot be the one that serves, or one that does not exist', async () => {
    const { world, run } = fleetOf({ app: 'full' });
    const serving = [...world.droplets.values()][0]?.containers.find(({ published }) => published)?.service ?? '';
    expect(await run('stop', serving)).toMatchObject({ outcome: 'failed', error: { code: 'service-serves' } });
    expect(await run('start', 'wroker')).toMatchObject({ outcome: 'failed', error: { code: 'unknown-service' } });
    expect(await run('stop', 'wroker')).toMatchObject({ outcome: 'failed', error: { code: 'unknown-service' } });
  });
});
