/** Rollouts in batches and behind a tag-managed balancer, under load. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SHOP } from '../../src/sandbox/docker/images/example-registry.js';
import { dividedFleet } from './divided-fleet.js';
import type { CommandEnd } from './sandbox-fleet.js';

const divided = dividedFleet({
  growing: { droplets: 4, settings: { rollout: { batch: ['25%', 2] } } },
  floor: { droplets: 4, settings: { rollout: { batch: 'all', min_in_rotation: 2 } } },
  tagged: { tag: 'pool' },
  moving: {},
});

describe('batches', () => {
  it.concurrent('grow as listed, and volumes keep their data', async () => {
    const part = divided.part('growing');
    const volumes = part.droplets.map(({ engine }) => join(engine.volumeFolder('shop_uploads'), 'picture.png'));
    for (const file of volumes) writeFileSync(file, 'of a cat');
    const { end, report } = await part.underLoad(() => part.deploy('v2'));
    const names = part.droplets.map(({ name }) => name);
    expect(batchesOf(end)).toEqual([names.slice(0, 1), names.slice(1, 3), names.slice(3)]);
    expect(part.summary()).toEqual(['in v2', 'in v2', 'in v2', 'in v2']);
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(part.balancer.fewestServing).toBe(2);
    expect(volumes.map((file) => readFileSync(file, 'utf8'))).toEqual(volumes.map(() => 'of a cat'));
  });

  it.concurrent('take as many droplets as the floor allows', async () => {
    const part = divided.part('floor');
    const { end, report } = await part.underLoad(() => part.deploy('v2'));
    const names = part.droplets.map(({ name }) => name);
    expect(batchesOf(end)).toEqual([names.slice(0, 2), names.slice(2)]);
    expect(part.summary()).toEqual(['in v2', 'in v2', 'in v2', 'in v2']);
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(part.balancer.fewestServing).toBe(2);
  });
});

describe('a tag-managed balancer', () => {
  beforeAll(() => {
    divided.fleet.region.world.addFirewall({ name: 'allow-web', tags: ['pool'] });
  });

  it.concurrent('is rolled by untagging, after naming what else uses the tag', async () => {
    const part = divided.part('tagged');
    const { end, report } = await part.underLoad(() => part.deploy('v2'));
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    const rolling = end.events.findIndex((event) => event.type === 'phase-started' && event.phase === 'roll');
    const notice =
      'Load balancer "lb-tagged" selects its droplets by the tag "pool": a droplet leaves by being untagged. While a droplet is out, these do not apply to it: firewall "allow-web".';
    expect(end.events.slice(0, rolling)).toContainEqual(
      expect.objectContaining({ type: 'notice', level: 'warning', message: notice }),
    );
    expect(part.summary()).toEqual(['in v2 pool', 'in v2 pool']);
    expect(part.rotationCalls()).toEqual([]);
    expect(report).toMatchObject({ failed: 0, failures: [] });
  });

  it('can have more than ten droplets, like in the first deploy here', () => {
    const { world, balancerId, apiLog } = divided.fleet.region;
    expect(world.balancer(balancerId).tag).toBe('web');
    const droplets = (method: string) =>
      apiLog.flatMap(({ path, body, ...call }) => {
        if (call.method !== method || path !== '/v2/tags/web/resources') return [];
        return (body as { resources: { resource_id: string }[] }).resources.map((one) => one.resource_id);
      });
    expect(new Set(droplets('DELETE')).size, 'left').toBe(12);
    expect(new Set(droplets('POST')).size, 'rejoined').toBe(12);
  });
});

it.concurrent('if a tag moves in the registry during a deploy, all droplets run the image that the first one pulled', async () => {
  const part = divided.part('moving');
  const { registry } = divided.fleet.region;
  registry.moveTag(SHOP, 'latest', 'v2');
  await part.droplets[1]?.setFaults({ pullDelayMs: 1_500 });
  const fetchImage = registry.fetch.bind(registry);
  registry.fetch = (reference, credentials) => {
    const image = fetchImage(reference, credentials);
    if (reference.repository === SHOP && reference.tag === 'latest') registry.moveTag(SHOP, 'latest', 'v3');
    return image;
  };
  const { end, report } = await part.underLoad(() => part.deploy('latest'));
  expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'latest' } } });
  expect(part.summary()).toEqual(['in v2', 'in v2']);
  expect(report).toMatchObject({ failed: 0, failures: [] });

  registry.fetch = fetchImage;
  await part.droplets[1]?.clearFaults();
  const again = await part.deploy('latest');
  expect(again, 'and the next deploy notices').toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(part.summary()).toEqual(['in v3', 'in v3']);
});

/** Names of the droplets that left together. */
function batchesOf({ events }: CommandEnd): string[][] {
  return events.flatMap((event) => (event.type === 'batch-started' ? [event.droplets] : []));
}
