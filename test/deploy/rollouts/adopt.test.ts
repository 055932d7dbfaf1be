/** Complete runs of adopt in virtual time. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('adopt');
});
afterAll(removeCopies);

it('reports the commit of the release that it brings droplets to', async () => {
  const { world, run } = fleetOf();
  for (const { disk } of world.droplets.values()) {
    for (const held of disk.releases.values()) {
      held.text = JSON.stringify({ ...held.record, commit: 'c0ffee', dirty: true });
    }
  }
  expect(await run('adopt')).toMatchObject({
    outcome: 'skipped',
    release: { imageTag: 'v1', commit: 'c0ffee', dirty: true },
  });
});

it('names no release that has failed where a role was left on it, but the one that was recorded', async () => {
  const { run, runs } = fleetOf({ fleet: 4, target: 'roles', onlyOn: 2 });
  expect(await run('deploy', 'v3')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v2')).toMatchObject({ outcome: 'failed' });
  const end = await run('adopt');
  expect(end).toMatchObject({ outcome: 'failed', error: { code: 'release-disputed' } });
  expect(end?.error?.message).toMatch(/^web: No droplet runs the release that was deployed last, \S+-v3\.$/);
  const [, named = ''] = /do-deploy rollback production (\S+-v3)\./.exec(end?.error?.hint ?? '') ?? [];
  expect(end?.error?.hint).not.toContain('v2');
  expect(await run('rollback', named)).toMatchObject({ outcome: 'succeeded' });
  expect(runs()).toEqual(['v3', 'v3', 'v3', 'v3']);
});
