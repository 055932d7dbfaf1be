/** Images in a registry of DigitalOcean: a login is made from the token for each run, and stored nowhere. */
import { execFileSync } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectWhole } from './fleet-state.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const TOKEN = 'b7d03a6947b217efb6f3ec3bd3504582';
const AUTH = Buffer.from(`${TOKEN}:${TOKEN}`).toString('base64');

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2, registryCredentials: { username: TOKEN, password: TOKEN } });
  await appendFile(join(fleet.folder, 'config/.env.common'), 'APP_IMAGE=registry.digitalocean.com/acme/shop\n');
  for (const file of ['deploy.yml', 'deploy.first.yml']) {
    await appendFile(join(fleet.folder, 'config', file), '\nregistry: { digitalocean: acme }\n');
  }
});
afterAll(() => fleet.stop());

describe('a registry of DigitalOcean', { shuffle: false }, () => {
  it('is logged in to for a run, to read and for an hour, and nothing of it is left or shown', async () => {
    await fleet.deployFirst('v1');
    const end = await fleet.run(['sandbox', 'v2', '--yes', '--debug']);
    expect(end, end.stderr).toMatchObject({ code: 0 });
    expect(expectWhole(fleet)).toBe('v2');
    const calls = fleet.region.apiLog.filter(({ path }) => path.includes('docker-credentials'));
    expect(calls.map(({ path }) => path)).toEqual([
      '/v2/registries/acme/docker-credentials?expiry_seconds=3600&read_write=false',
      '/v2/registries/acme/docker-credentials?expiry_seconds=3600&read_write=false',
    ]);
    for (const secret of [TOKEN, AUTH]) {
      expect(end.stdout + end.stderr).not.toContain(secret);
      expect(
        execFileSync('sh', ['-c', `grep -rl "${secret}" . || true`], { cwd: fleet.region.folder }).toString(),
      ).toBe('');
    }
  });

  it('is found by the older form where DigitalOcean does not know the newer one', async () => {
    fleet.region.faults.add({ on: { path: '/registries/' }, do: { status: 404 } });
    const end = await fleet.run(['sandbox', 'v1', '--yes']);
    expect(end, end.stderr).toMatchObject({ code: 0 });
    expect(fleet.region.apiLog.some(({ path }) => path.startsWith('/v2/registry/docker-credentials'))).toBe(true);
  });

  it('that the team does not have is named before anything changes', async () => {
    fleet.region.world.registries.clear();
    const end = await fleet.run(['sandbox', 'v2', '--yes', '--force']);
    expect(end.code).toBe(1);
    expect(end.stdout + end.stderr).toContain(
      "Check registry.digitalocean in the configuration file: the token's team has no registry acme.",
    );
    expect(expectWhole(fleet)).toBe('v1');
  });
});
