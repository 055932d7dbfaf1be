/** Root on one droplet forges a release: nothing of it may reach the others. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { FORGED_ID, forgeCurrentRelease, forgeNewerRelease } from './forge.js';
import { containerIds } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const HONEST = ['web-2', 'web-3'];
const ANCHOR = /^do-deploy:release:shop:sandbox:[1-9]\d*:[0-9a-f]{40}$/;

describe('a droplet whose root forges a release', { shuffle: false }, () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start({ droplets: 3 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  const folderOf = (name: string) => join(fleet.region.droplet(name).home, 'do-deploy/shop');
  const containers = (names: string[]) => names.map((name) => containerIds(fleet, name));
  const anchors = () => [...fleet.region.world.tags].filter((tag) => ANCHOR.test(tag));

  function expectNothingForged(mark: string, names = HONEST): void {
    for (const name of names) {
      expect(existsSync(join(fleet.region.droplet(name).home, mark)), `${mark} on ${name}`).toBe(false);
      expect(readdirSync(join(folderOf(name), 'releases'))).not.toContain(FORGED_ID);
    }
  }

  it('is brought back to the anchored release by adopt, and the others are left alone', async () => {
    expect(anchors()).toHaveLength(1);
    const before = containers(HONEST);
    forgeNewerRelease(folderOf('web-1'), 'mark-1');
    const check = await fleet.run(['status', 'sandbox', '--check', '--json']);
    expect(check.stdout, 'the forger is the one that differs').toContain('"droplet":"web-1"');
    expect(check.stdout).not.toMatch(/"droplet":"web-[23]"/);
    const load = fleet.load();
    const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
    expectNoFailures(await load.stop());
    expect(adopted, adopted.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(adopted.result?.release.id).toMatch(/-v1$/);
    expect(containers(HONEST)).toEqual(before);
    expectNothingForged('mark-1');
    expect(expectWhole(fleet)).toBe('v1');
    expect(anchors()).toHaveLength(1);
  });

  it('gives heal nothing to run on another droplet', async () => {
    forgeNewerRelease(folderOf('web-1'), 'mark-2');
    const { world, balancerId } = fleet.region;
    const { id } = fleet.region.droplet('web-2');
    world.createTag('do-deploy:out:shop:sandbox');
    world.tagDroplets('do-deploy:out:shop:sandbox', [id]);
    world.removeFromBalancer(balancerId, [id]);
    const healed = await fleet.run(['heal', 'sandbox', '--json']);
    expect(healed, healed.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(healed.result?.rows[1]).toMatchObject({ release: expect.stringMatching(/-v1$/), outcome: 'deployed' });
    expectNothingForged('mark-2');
  });

  it('has no say in where a rollback goes', async () => {
    expect(await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json'])).toMatchObject({ code: 0 });
    forgeNewerRelease(folderOf('web-1'), 'mark-3');
    const refused = await fleet.run(['rollback', 'sandbox', FORGED_ID, '--yes', '--json']);
    expect(refused.result?.error?.code).toBe('release-gone');
    const back = await fleet.run(['rollback', 'sandbox', '--yes', '--json']);
    expect(back, back.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'v1' } } });
    expectNothingForged('mark-3');
    expect(expectWhole(fleet)).toBe('v1');
    expect(anchors()).toHaveLength(3);
  });

  it('gives no changed files to a new droplet, though it is asked for them first', async () => {
    forgeCurrentRelease(folderOf('web-1'), 'mark-4');
    const { id } = await fleet.region.addDroplet({ name: 'web-4' });
    fleet.region.world.addToBalancer(fleet.region.balancerId, [id]);
    const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
    expect(adopted, adopted.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expectNothingForged('mark-4', [...HONEST, 'web-4']);
  });

  it('blocks a rollback to a release whose record it has changed, and is repaired by a deploy', async () => {
    expect(await fleet.run(['deploy', 'sandbox', 'v3', '--yes', '--json'])).toMatchObject({ code: 0 });
    const refused = await fleet.run(['rollback', 'sandbox', 'v1', '--yes', '--json']);
    expect(refused.result?.error).toMatchObject({
      code: 'release-gone',
      message: expect.stringMatching(/ on web-1\.$/),
    });
    expect(await fleet.run(['deploy', 'sandbox', 'v1', '--yes', '--json'])).toMatchObject({ code: 0 });
    expectNothingForged('mark-4', [...HONEST, 'web-4']);
    expect(expectWhole(fleet)).toBe('v1');
  });
});

describe('a fleet that an earlier version deployed to', () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
    for (const tag of anchors()) fleet.region.world.deleteTag(tag);
  });
  afterAll(() => fleet.stop());

  const anchors = () => [...fleet.region.world.tags].filter((tag) => ANCHOR.test(tag));

  it('works as before, and is anchored by the next deploy, even of the same', async () => {
    const { id } = await fleet.region.addDroplet({ name: 'web-3' });
    fleet.region.world.addToBalancer(fleet.region.balancerId, [id]);
    const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
    expect(adopted, adopted.stdout).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(await fleet.run(['heal', 'sandbox', '--json'])).toMatchObject({ code: 0 });
    expect(anchors()).toHaveLength(0);
    const same = await fleet.run(['deploy', 'sandbox', 'v1', '--yes', '--json']);
    expect(same).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(anchors()).toHaveLength(1);
  });
});
