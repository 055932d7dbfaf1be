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
