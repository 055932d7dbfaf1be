/** Droplets that boot into the fleet's release by their user data, without a deployer. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { appendFile, cp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BundleRecord, readRecord, signedRecord } from '../../src/deploy/bundle/record.js';
import { eventually } from '../sandbox/eventually.js';
import { ObjectStorage } from '../support/object-storage.js';
import { dropletState } from './fleet-state.js';
import { containerIds, onDroplet } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const WRITER = { accessKey: 'writer', secretKey: 'writers-secret-7f1c' };
const READER = { accessKey: 'reader', secretKey: 'readers-secret-03be', readOnly: true };
const { privateKey } = generateKeyPairSync('ed25519');
const SIGNING = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
const POINTER = 'releases/shop/sandbox/current';

let storage: ObjectStorage;
let fleet: SandboxFleet;
beforeAll(async () => {
  storage = await ObjectStorage.start({ bucket: 'bundles', users: [WRITER, READER] });
  fleet = await SandboxFleet.start({ droplets: 2, tagManaged: true });
  const bundle = [
    `endpoint: ${storage.url}`,
    'bucket: bundles',
    'prefix: releases',
    'access_key: writer',
    'secret_key: $BUNDLE_SECRET',
    'signing_key: $BUNDLE_SIGNING',
    'read_access_key: reader',
    'read_secret_key: $BUNDLE_READ_SECRET',
  ];
  for (const file of ['deploy.yml', 'deploy.first.yml']) {
    await appendFile(join(fleet.folder, 'config', file), `\nbundle: { ${bundle.join(', ')} }\n`);
  }
  const variables = { BUNDLE_SECRET: WRITER.secretKey, BUNDLE_SIGNING: SIGNING, BUNDLE_READ_SECRET: READER.secretKey };
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  await appendFile(join(fleet.folder, 'config/.env'), lines.join(''));
  await fleet.deployFirst('v1');
});
afterAll(async () => {
  await fleet.stop();
  await storage.stop();
});

/** The user data, for a droplet that shares this machine's folders and has no users of its own. */
async function userData(...options: string[]): Promise<string> {
  const { code, stdout, stderr } = await fleet.run(['cloud-init', 'sandbox', ...options]);
  expect(code, stderr).toBe(0);
  return forSandbox(stdout);
}

function forSandbox(text: string): string {
  const edits: [RegExp | string, string][] = [
    [/\/var\/log\/do-deploy-boot\.log/g, '$HOME/boot.log'],
    [/\/run\/do-deploy-boot/g, '$HOME/boot'],
    ['[ "$(id -u)" = 0 ]', 'true'],
    ['home=$(getent passwd "$user" | cut -d : -f 6)', 'home=$HOME'],
    ['chown -R "$user": "$work"', ':'],
    [/^runuser -u "\$user" -- env -i .*? LC_ALL=C /m, 'env '],
  ];
  return edits.reduce((edited, [from, to]) => {
    const changed = edited.replace(from, to);
    if (changed === edited) throw new Error(`the user data has no ${String(from)}`);
    return changed;
  }, text);
}

async function boot(name: string, text: string): Promise<{ log: string; error?: unknown }> {
  const { home } = fleet.region.droplet(name);
  await writeFile(join(home, 'user-data.sh'), text);
  // Little patience: what is not there now will not come.
  const error = await onDroplet(fleet, name, 'DO_DEPLOY_BOOT_WAIT=0 sh ~/user-data.sh').catch(
    (thrown: unknown) => thrown,
  );
  const log = await readFile(join(home, 'boot.log'), 'utf8');
  return { log, ...(error !== undefined && { error }) };
}

/** What a droplet reads now: the pointer, and the names of bundles. */
function stored(): { pointer: string; release: string | undefined; bundles: string[] } {
  const pointer = storage.objects.get(POINTER)?.toString() ?? '';
  const bundles = [...storage.objects.keys()].filter((key) => key.includes('/bundle-'));
  return { pointer, release: /^release \S+Z-(\S+)$/m.exec(pointer)?.[1], bundles };
}

function bundleKey(): string {
  const [, object] = /^object (\S+)$/m.exec(stored().pointer) ?? [];
  return `releases/shop/sandbox/${object}`;
}

const deploy = (...args: string[]) => fleet.run(['deploy', 'sandbox', ...args, '--yes', '--json']);

function warnings(events: readonly { type: string; message?: string; level?: string }[]): string[] {
  return events.flatMap(({ type, level, message }) =>
    type === 'notice' && level === 'warning' ? (message ?? '') : [],
  );
}

let added = 2;

/** A droplet that nobody has deployed to. Only with the tag it is behind the balancer. */
async function freshDroplet(tags: string[] = []): Promise<string> {
  added += 1;
  const name = `web-${added}`;
  await fleet.region.addDroplet({ name, tags });
  return name;
}

describe('a droplet that boots', { shuffle: false }, () => {
  it('gets the release verified, and nothing is left to do', async () => {
    expect(storage.log.filter((line) => line.startsWith('PUT'))).toEqual([
      expect.stringMatching(/^PUT releases\/shop\/sandbox\/bundle-[0-9a-f]{16} 200$/),
      `PUT ${POINTER} 200`,
    ]);
    const content = storage.objects.get(bundleKey());
    expect(content?.toString('latin1'), 'it is encrypted').toMatch(/^Salted__/);
    const text = await userData();
    expect(text).not.toContain(WRITER.secretKey);
    expect(text).not.toContain(SIGNING);
    const name = await freshDroplet(['web']);
    const { log, error } = await boot(name, text);
    expect(error, log).toBeUndefined();
    expect(log).toMatch(/runs release \S+-v1, verified/);
    for (const secret of [READER.secretKey, /BOOT_KEY=(\w+)/.exec(text)?.[1] ?? '']) expect(log).not.toContain(secret);

    const check = await fleet.run(['status', 'sandbox', '--check', '--json']);
    expect(check, check.stdout).toMatchObject({ code: 0 });
    const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
    expect(adopted).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    expect(dropletState(fleet, name)).toMatchObject({ version: 'v1', recorded: false });

    // Again: it is the deployers' now.
    const ids = containerIds(fleet, name);
    const again = await boot(name, text);
    expect(again.error, again.log).toBeUndefined();
    expect(again.log).toContain('deployers change it from here on');
    expect(containerIds(fleet, name)).toEqual(ids);
  });

  it('is deployed to like any other', async () => {
    const end = await deploy('v2');
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual(['deployed', 'deployed', 'deployed']);
    expect(stored(), 'the bundle before is removed').toMatchObject({ release: 'v2', bundles: [bundleKey()] });
  });

  it('never gets a release that failed, or that is held as a canary', async () => {
    const before = stored();
    expect(await deploy('broken')).toMatchObject({ code: 1, result: { outcome: 'failed' } });
    expect(stored()).toEqual(before);
    expect(await deploy('v1', '--canary')).toMatchObject({ code: 0 });
    expect(stored()).toEqual(before);
    expect(await fleet.run(['promote', 'sandbox', '--yes', '--json'])).toMatchObject({ code: 0 });
    expect(stored().release).toBe('v1');
    expect(await fleet.run(['rollback', 'sandbox', '--yes', '--json'])).toMatchObject({ code: 0 });
    expect(stored().release).toBe('v2');
  });

  it.each([
    ['the bundle', /bundle-/],
    ['the pointer', /current$/],
  ])(
    'gets the older release when %s cannot be uploaded, which the deploy says; adopt makes up for it',
    async (_what, lost) => {
      const before = stored();
      const next = before.release === 'v1' ? 'v2' : 'v1';
      storage.fault = (method, key) => (method === 'PUT' && lost.test(key) ? 403 : undefined);
      const end = await deploy(next);
      storage.fault = () => undefined;
      expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
      expect(warnings(end.events).filter((message) => message.includes('undle'))).toEqual([
        expect.stringMatching(/was not uploaded, so a droplet that boots .* older release.* do-deploy adopt sandbox$/),
      ]);
      expect(stored().pointer, 'the older one is whole').toBe(before.pointer);
      expect(stored().bundles).toEqual(expect.arrayContaining(before.bundles));

      const check = await fleet.run(['status', 'sandbox', '--check']);
      expect(check.code).toBe(4);
      expect(check.stdout).toMatch(new RegExp(`^bundle: holds \\S+-${before.release} instead of \\S+-${next}: `, 'm'));
      expect(await fleet.run(['cloud-init', 'sandbox'])).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('do-deploy adopt sandbox'),
      });
      expect(await fleet.run(['adopt', 'sandbox', '--json'])).toMatchObject({ code: 0 });
      expect(stored().release).toBe(next);
      expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
    },
  );

  it('starts nothing while its images are missing, and holds the lock of deploys while it boots', async () => {
    expect(await deploy(stored().release === 'v1' ? 'v2' : 'v1')).toMatchObject({ code: 0 });
    const text = await userData();
    const name = await freshDroplet(['web']);
    const droplet = fleet.region.droplet(name);
    await droplet.setFaults({ pull: 'missing' });
    const failed = await boot(name, text);
    expect(failed.error).toBeDefined();
    expect(failed.log).toMatch(/pull failed with exit code \d+/);
    expect(containerIds(fleet, name)).toEqual([]);
    expect(readdirSync(join(droplet.home, 'do-deploy/shop/releases')), 'nothing half-made').toEqual([]);

    await droplet.setFaults({ pull: 'ok' });
    await rm(join(droplet.home, 'boot.log'));
    const booting = boot(name, text);
    const log = () => readFile(join(droplet.home, 'boot.log'), 'utf8').catch(() => '');
    await eventually(log).toMatch(/ health$/m);
    const refused = await deploy(stored().release === 'v1' ? 'v2' : 'v1');
    expect(refused).toMatchObject({ code: 3, result: { error: { code: 'lease-held' } } });
    expect(refused.result?.error?.message).toContain('cloud-init');
    const { error } = await booting;
    expect(error, await log()).toBeUndefined();
    expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
    // It holds no release to go back to.
    const back = await fleet.run(['rollback', 'sandbox', '--yes', '--json']);
    expect(back).toMatchObject({ code: 2, result: { outcome: 'failed', error: { code: 'no-such-release' } } });
  });

  it('is changed only while it is new: also one made from the image of another droplet, never one that was deployed to', async () => {
    const { region } = fleet;
    const before = containerIds(fleet, 'web-1');
    const text = await userData();
    const deployed = await boot('web-1', text);
    expect(deployed.error, deployed.log).toBeUndefined();
    expect(deployed.log).toContain('a deploy has reached this droplet already');
    expect(containerIds(fleet, 'web-1')).toEqual(before);

    const old = await freshDroplet();
    const app = (name: string) => join(region.droplet(name).home, 'do-deploy/shop');
    await cp(app('web-1'), app(old), { recursive: true, verbatimSymlinks: true });
    expect(await deploy(stored().release === 'v1' ? 'v2' : 'v1')).toMatchObject({ code: 0 });
    // The image was made long before this droplet booted; it also says which droplet it was made from.
    await utimes(join(app(old), 'state.json'), 0, 1_600_000_000);
    await writeFile(join(app(old), 'booted'), 'another-droplet\n');
    const { error, log } = await boot(old, await userData());
    expect(error, log).toBeUndefined();
    region.world.tagDroplets('web', [region.droplet(old).id]);
    expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
    expect(await fleet.run(['adopt', 'sandbox', '--json'])).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });

  it('refuses what a thief of the write key has put there, and starts nothing', async () => {
    const older = new Map(storage.objects);
    expect(await deploy(stored().release === 'v1' ? 'v2' : 'v1')).toMatchObject({ code: 0 });
    const text = await userData();
    const honest = new Map(storage.objects);
    const key = bundleKey();
    const pointer = honest.get(POINTER) as Buffer;
    const bundle = honest.get(key) as Buffer;
    const other = generateKeyPairSync('ed25519').privateKey;
    const record = readRecord(pointer, createPublicKey(privateKey)) as BundleRecord;
    const flipped = (content: Buffer, at: number) => {
      const copy = Buffer.from(content);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    };
    const attacks: [string, [string, Buffer][], RegExp][] = [
      ['an altered bundle', [[key, flipped(bundle, 5_000)]], /refused: \S+ was altered/],
      ['a bundle that is cut off', [[key, bundle.subarray(0, -16)]], /refused: \S+ is cut off/],
      ['a longer bundle', [[key, Buffer.concat([bundle, bundle])]], /refused: \S+ is larger than it may be/],
      ['an altered pointer', [[POINTER, flipped(pointer, 30)]], /refused: \S+ is not signed with the deployers' key/],
      ['a pointer that is cut off', [[POINTER, pointer.subarray(0, -9)]], /refused: \S+ is cut off/],
      ['an endless pointer', [[POINTER, Buffer.alloc(100_000, 10)]], /refused: \S+ is larger than it may be/],
      ['a pointer with another key', [[POINTER, signedRecord(record, other)]], /is not signed with the deployers' key/],
      [
        'an older bundle and its pointer',
        [...older],
        /refused: \S+ is older than this user data: release \S+ of rollout/,
      ],
      [
        'the pointer of another environment',
        [[POINTER, signedRecord({ ...record, environment: 'staging' }, privateKey)]],
        /refused: \S+ is that of the environment staging/,
      ],
    ];
    for (const [what, changes, why] of attacks) {
      storage.objects.clear();
      for (const [name, content] of [...honest, ...changes]) storage.objects.set(name, content);
      const name = await freshDroplet();
      const { log, error } = await boot(name, text);
      expect(String(error), what).toMatch(/refused, nothing was started/);
      expect(log, what).toMatch(why);
      expect(containerIds(fleet, name), what).toEqual([]);
      expect(existsSync(join(fleet.region.droplet(name).home, 'do-deploy')), what).toBe(false);
    }
    storage.objects.clear();
    for (const [name, content] of honest) storage.objects.set(name, content);
    const name = await freshDroplet();
    const wrong = await boot(name, text.replace(READER.secretKey, 'another-key'));
    expect(wrong.log).toMatch(/cannot be fetched: \S+: HTTP 403 SignatureDoesNotMatch\. Nothing was started/);
    const { error, log } = await boot(name, text);
    expect(error, log).toBeUndefined();
  });
});
