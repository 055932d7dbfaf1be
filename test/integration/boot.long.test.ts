/** Droplets that boot into the fleet's release by their user data, without a deployer. */
import { generateKeyPairSync } from 'node:crypto';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { ObjectStorage } from '../support/object-storage.js';
import { dropletState } from './fleet-state.js';
import { onDroplet } from './on-droplet.js';
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

it('a droplet boots into the release, verified, and nothing is left to do', async () => {
  const text = await userData();
  await fleet.region.addDroplet({ name: 'web-3', tags: ['web'] });
  const { log, error } = await boot('web-3', text);
  expect(error, log).toBeUndefined();
  expect(log).toMatch(/runs release \S+-v1, verified/);
  const check = await fleet.run(['status', 'sandbox', '--check', '--json']);
  expect(check, check.stdout).toMatchObject({ code: 0 });
  const adopted = await fleet.run(['adopt', 'sandbox', '--json']);
  expect(adopted).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  expect(dropletState(fleet, 'web-3')).toMatchObject({ version: 'v1', recorded: false });
});
