/** Complete restarts in virtual time. */
import { afterAll, beforeAll, expect, it } from 'vitest';
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
