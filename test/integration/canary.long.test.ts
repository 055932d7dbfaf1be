/** Canaries on the sandbox: held, promoted, taken back, overtaken, and left behind by a killed deploy. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { onDroplet } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;

beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

const run = (...words: string[]) => fleet.run([...words, '--yes', '--json']);
const tagsOf = (rows: readonly { name: string; release: string }[] = []) =>
  rows.map(({ name, release }) => `${name} ${release.replace(/^.*-/, '')}`);
const statusRows = async () => {
  const { stdout } = await fleet.run(['status', 'sandbox', '--json']);
  return JSON.parse(stdout) as {
    rows: { name: string; release: string; canary?: true }[];
    ways?: { forward: string; back: string };
  };
};
const ON_WEB_1 = ['web-1 v2', 'web-2 v1', 'web-3 v1'];

describe('a canary', { shuffle: false }, () => {
  it('is held after the first batch, with exit code 0 and both ways on', async () => {
    const load = fleet.load();
    const end = await run('sandbox', 'v2', '--canary');
    expectNoFailures(await load.stop());
    expect(end).toMatchObject({
      code: 0,
      result: {
        outcome: 'succeeded',
        held: { imageTag: 'v2', droplets: ['web-1'] },
        ways: { forward: 'do-deploy promote sandbox', back: 'do-deploy abort sandbox' },
      },
    });
    expect(tagsOf(end.result?.rows)).toEqual(ON_WEB_1);
    const status = await statusRows();
    expect(tagsOf(status.rows)).toEqual(ON_WEB_1);
    expect(status.rows.map(({ canary }) => canary)).toEqual([true, undefined, undefined]);
    expect(status.ways?.forward).toBe('do-deploy promote sandbox');
    const check = await fleet.run(['status', 'sandbox', '--check']);
    expect(check.stdout).not.toContain('instead of');
    expect(check.code).toBe(0);
    const history = await fleet.run(['history', 'sandbox']);
    expect(history.stdout).toContain('held on web-1');
  });

  it('is left alone by heal and adopt, and by another canary; rollback wants to know where to', async () => {
    expect(await run('heal', 'sandbox')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
    expect(adopted, JSON.stringify(adopted.result)).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await run('rollback', 'sandbox')).toMatchObject({ code: 2, result: { error: { code: 'canary-held' } } });
    const other = await run('sandbox', 'v3', '--canary', '2');
    expect(other).toMatchObject({ code: 2, result: { error: { code: 'canary-held' } } });
    expect(tagsOf((await statusRows()).rows)).toEqual(ON_WEB_1);
    expect(await run('sandbox', 'v2', '--canary')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });

  it('is taken back by abort, which changes no other droplet', async () => {
    const load = fleet.load();
    const end = await run('abort', 'sandbox');
    expectNoFailures(await load.stop());
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(end.result?.held).toBeUndefined();
    expect(
      end.events.flatMap((event) => (event.type === 'step-started' && event.step === 'leave' ? event.droplet : [])),
    ).toEqual(['web-1']);
    expectWhole(fleet, ['v1']);
    expect(await run('abort', 'sandbox')).toMatchObject({ code: 2, result: { error: { code: 'no-canary' } } });
    expect((await statusRows()).ways).toBeUndefined();
  });

  it('goes to the rest of the fleet by promote', async () => {
    expect(await run('sandbox', 'v2', '--droplets', 'web-3,web-1')).toMatchObject({
      code: 0,
      result: { held: { droplets: ['web-1', 'web-3'] } },
    });
    const load = fleet.load();
    const end = await run('promote', 'sandbox');
    expectNoFailures(await load.stop());
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(end.result?.held).toBeUndefined();
    expectWhole(fleet, ['v2']);
    expect(await run('rollback', 'sandbox')).toMatchObject({ code: 0 });
    expectWhole(fleet, ['v1']);
  });

  it('is overtaken by a plain deploy, which says so', async () => {
    expect(await run('sandbox', 'v2', '--canary', '2')).toMatchObject({
      result: { held: { droplets: ['web-1', 'web-2'] } },
    });
    const end = await run('sandbox', 'v3');
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    const said = end.events.flatMap((event) => (event.type === 'notice' ? event.message : []));
    expect(said).toContain('A canary of v2 is held on web-1, web-2. This deploy takes its place.');
    expectWhole(fleet, ['v3']);
  });

  it('that a killed deploy has left half-way is not promoted, but finished, or taken back', async () => {
    const canary = fleet.start(['sandbox', 'v2', '--canary', '--yes', '--json']);
    canary.onEvent((event) => {
      if (event.type === 'step-started' && event.step === 'health') canary.child.kill('SIGKILL');
    });
    await canary.ended;
    expect((await statusRows()).rows[0]).toMatchObject({ canary: true });
    expect((await statusRows()).ways?.forward).toBe('do-deploy sandbox v2 --canary 1');
    const promoted = await run('promote', 'sandbox', '--wait-lock', '1m');
    expect(promoted).toMatchObject({ code: 1, result: { error: { code: 'canary-sick' } } });
    expect(await run('sandbox', 'v2', '--canary')).toMatchObject({
      code: 0,
      result: { held: { droplets: ['web-1'] } },
    });
    expect(await run('abort', 'sandbox')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expectWhole(fleet, ['v3']);
  });

  it('whose promotion was interrupted is still no release of the fleet, and is taken back', async () => {
    expect(await run('sandbox', 'v2', '--canary')).toMatchObject({ code: 0 });
    const promotion = fleet.start(['promote', 'sandbox', '--yes', '--json']);
    promotion.onEvent((event) => {
      if (event.type === 'step-started' && event.step === 'switch') promotion.child.kill('SIGINT');
    });
    expect(await promotion.ended).toMatchObject({
      code: 130,
      result: { ways: { forward: 'do-deploy promote sandbox', back: 'do-deploy abort sandbox' } },
    });
    const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
    expect(adopted, JSON.stringify(adopted.result)).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(await run('abort', 'sandbox')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expectWhole(fleet, ['v3']);
  });

  it('that is sick is not promoted', async () => {
    expect(await run('sandbox', 'v2', '--canary')).toMatchObject({ code: 0 });
    const status = await statusRows();
    const name = status.rows.find(({ canary }) => canary)?.name ?? '';
    await onDroplet(fleet, name, 'docker stop $(docker ps -q --filter label=com.docker.compose.service=app)');
    const end = await run('promote', 'sandbox');
    expect(end).toMatchObject({ code: 1, result: { error: { code: 'canary-sick', droplet: name } } });
    expect(await run('abort', 'sandbox')).toMatchObject({ code: 0 });
    expectWhole(fleet, ['v3']);
  });

  it('that is broken goes back to its release, and nothing is held', async () => {
    const end = await run('sandbox', 'broken', '--canary');
    expect(end, JSON.stringify(end.result?.error)).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(end.result?.held).toBeUndefined();
    expectWhole(fleet, ['v3']);
    expect(await run('promote', 'sandbox')).toMatchObject({ code: 2, result: { error: { code: 'no-canary' } } });
  });

  it('leaves at least one droplet on its release', async () => {
    for (const words of [
      ['--canary', '3'],
      ['--droplets', 'web-1,web-2,web-3'],
    ]) {
      expect(await run('sandbox', 'v2', ...words)).toMatchObject({
        code: 2,
        result: { error: { code: 'canary-of-all' } },
      });
    }
    expectWhole(fleet, ['v3']);
  });

  it('needs droplets that exist', async () => {
    const end = await run('sandbox', 'v2', '--droplets', 'web-1,web-9');
    expect(end).toMatchObject({ code: 2, result: { error: { code: 'no-such-droplet' } } });
    expect(end.result?.error?.message).toContain('web-9');
  });

  it('stays one when roles are added, and when they are renamed', async () => {
    const file = join(fleet.folder, 'config/deploy.yml');
    const before = await readFile(file, 'utf8');
    const { balancerName } = fleet.region;
    const ofRole = (name: string) => ({ roles: { [name]: { load_balancer: balancerName } } });
    const write = (sandbox: object) => writeFile(file, stringify({ ...parse(before), environments: { sandbox } }));
    expect(await run('sandbox', 'v2', '--canary')).toMatchObject({
      code: 0,
      result: { held: { droplets: ['web-1'] } },
    });
    await write(ofRole('web'));
    const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
    expect(adopted, JSON.stringify(adopted.result)).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect((await statusRows()).rows.map(({ canary }) => canary)).toEqual([true, undefined, undefined]);
    expect(await run('rollback', 'sandbox')).toMatchObject({ code: 2, result: { error: { code: 'canary-held' } } });
    expect(await run('abort', 'sandbox')).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expectWhole(fleet, ['v3']);
    expect([...fleet.region.world.tags].filter((tag) => tag.startsWith('do-deploy:canary:'))).toEqual([]);

    const held = await run('sandbox', 'v2', '--canary');
    expect(held, JSON.stringify(held.result)).toMatchObject({ code: 0, result: { held: { droplets: ['web-1'] } } });
    await write(ofRole('site'));
    const promoted = await run('promote', 'sandbox');
    expect(promoted, JSON.stringify(promoted.result)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expectWhole(fleet, ['v2']);
    await writeFile(file, before);
    expect([...fleet.region.world.tags].filter((tag) => tag.startsWith('do-deploy:canary:'))).toEqual([]);
    expect(await run('sandbox', 'v3')).toMatchObject({ code: 0 });
    expectWhole(fleet, ['v3']);
  });
});
