/** Manual changes on the droplets: `status --check` finds them, `heal` and `adopt` correct them. */
import { appendFile, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { expectNoFailures, expectWhole } from './fleet-state.js';
import { containerIds, currentFile, onDroplet } from './on-droplet.js';
import { type RunOptions, SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 4 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

const UP = `cd do-deploy/shop/current
export APP=shop DEPLOY_ENV=sandbox IMAGE_TAG=v2 ENV_FILES='config/.env.common config/.env.sandbox'
export COMPOSE_FILES='compose/docker-compose.yml compose/docker-compose.sandbox.yml'
sh scripts/start-up.sh pull && sh scripts/start-up.sh up`;

// The second test continues from the end of the first.
describe('a fleet with drift', { shuffle: false }, () => {
  it('an edited file, a stopped container, another image and a droplet missing from the balancer are found and corrected', async () => {
    const { region } = fleet;
    const id = (name: string) => region.droplet(name).id;
    const check = async () => {
      const calls = region.apiLog.length;
      const end = await fleet.run(['status', 'sandbox', '--check']);
      expect(region.apiLog.slice(calls).filter(({ method }) => method !== 'GET')).toEqual([]);
      return end;
    };
    const lines = (text: string) =>
      text
        .replaceAll(/\d{8}T\d{6}Z/g, 'TIME')
        .trim()
        .split('\n');

    const clean = await check();
    expect({ code: clean.code, lines: lines(clean.stdout) }).toEqual({
      code: 0,
      lines: ['shop: sandbox, release TIME-v1', 'All 4 droplets match their release.'],
    });

    await appendFile(currentFile(fleet, 'web-1', 'config/nginx/nginx.conf'), '# by hand\n');
    await appendFile(currentFile(fleet, 'web-1', 'config/.env.sandbox'), 'PASSWORD=by-hand\n');
    for (const app of region.droplet('web-2').engine.containers({ 'com.docker.compose.service': 'app' })) app.stop();
    await onDroplet(fleet, 'web-3', UP);
    region.world.removeFromBalancer(region.balancerId, [id('web-4')]);

    const drift = await check();
    expect({ code: drift.code, stderr: drift.stderr }).toEqual({ code: 4, stderr: '' });
    // That of web-2 becomes unhealthy a little later, because nothing answers it; that of web-3 may still be starting.
    const told = lines(drift.stdout).filter((line) => !/^web-[23]: nginx (is unhealthy|starting)/.test(line));
    expect(told).toEqual([
      'shop: sandbox, release TIME-v1',
      expect.stringMatching(/^web-1: config\/\.env\.sandbox has changed since it was deployed$/),
      expect.stringMatching(
        /^web-1: config\/nginx\/nginx\.conf has changed since it was deployed \(SHA-256 \w{12}… instead of /,
      ),
      expect.stringMatching(/^web-2: app was stopped, and not started again/),
      expect.stringMatching(
        /^web-3: app runs image sha256:\w+ instead of sha256:\w+ \(docker\.io\/example\/shop:v1\)$/,
      ),
      expect.stringMatching(/^web-4: is no longer behind load balancer "web".*, as it was at the last rollout/),
      '',
      expect.stringMatching(/^do-deploy heal sandbox fixes (1 difference|[23] differences)\.$/),
      'do-deploy adopt sandbox fixes 3 differences.',
    ]);
    expect(drift.stdout).not.toContain('by-hand');
    const json = await fleet.run(['status', 'sandbox', '--check', '--json']);
    expect(json.code).toBe(4);
    expect(json.events).toMatchObject([
      { schema: 2, type: 'drift', app: 'shop', environment: 'sandbox', droplets: 3, release: { imageTag: 'v1' } },
    ]);

    region.world.addToBalancer(region.balancerId, [id('web-4')]);
    const untouched = containerIds(fleet, 'web-4');
    expect(await fleet.run(['heal', 'sandbox', '--json'])).toMatchObject({ code: 0 });
    const load = fleet.load();
    const adopted = await fleet.run(['adopt', 'sandbox', '--json'], await elsewhere());
    expect(adopted).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expectNoFailures(await load.stop());
    expect(adopted.result?.rows.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['web-1', 'deployed'],
      ['web-2', 'up to date'],
      ['web-3', 'up to date'],
      ['web-4', 'up to date'],
    ]);
    expect(containerIds(fleet, 'web-4'), 'what is as it should be is left alone').toEqual(untouched);
    expect(await readFile(currentFile(fleet, 'web-1', 'config/.env.sandbox'), 'utf8')).not.toContain('by-hand');
    expect(await check()).toMatchObject({ code: 0 });
    expect(expectWhole(fleet)).toBe('v1');
  });

  it('a droplet that joins during a deploy is reported, and adopted from a machine without files and git', async () => {
    const { region } = fleet;
    const deploy = fleet.start(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    let joining: Promise<void> | undefined;
    deploy.onEvent((event) => {
      if (event.type !== 'batch-started' || joining !== undefined) return;
      joining = region
        .addDroplet({ name: 'web-5' })
        .then(({ id }) => region.world.addToBalancer(region.balancerId, [id]));
    });
    const end = await deploy.ended;
    await joining;
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded', next: 'do-deploy adopt sandbox' } });
    expect(end.events).toContainEqual(
      expect.objectContaining({
        type: 'notice',
        droplet: 'web-5',
        message: expect.stringMatching(/joined .* do-deploy adopt sandbox/),
      }),
    );
    expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({
      code: 4,
      stdout: expect.stringContaining('web-5: runs no release\n'),
    });

    const members = ['web-1', 'web-2', 'web-3', 'web-4'];
    const before = members.map((name) => containerIds(fleet, name));
    const calls = region.apiLog.length;
    const load = fleet.load();
    const adopted = await fleet.run(['adopt', 'sandbox', '--json'], await elsewhere());
    expect(adopted).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'v2' } } });
    expectNoFailures(await load.stop());
    expect(
      members.map((name) => containerIds(fleet, name)),
      'no member was taken out',
    ).toEqual(before);
    const changes = region.apiLog
      .slice(calls)
      .filter(({ method, path }) => method !== 'GET' && path.includes('/droplets'));
    expect(
      changes.map(({ method }) => method),
      'it left before it was deployed to, and rejoined',
    ).toEqual(['DELETE', 'POST']);
    const secrets = currentFile(fleet, 'web-5', 'config/.env.sandbox');
    expect((await stat(secrets)).mode & 0o777).toBe(0o600);
    expect(await readFile(secrets, 'utf8')).toBe(await readFile(join(fleet.folder, 'config/.env.sandbox'), 'utf8'));
    expect(expectWhole(fleet)).toBe('v2');

    const again = await fleet.run(['adopt', 'sandbox'], await elsewhere());
    expect(again).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Nothing to adopt. All 5 droplets run release'),
    });
  });
});

/** The settings and the token, without the release's files. */
async function elsewhere(): Promise<RunOptions> {
  const cwd = await fleet.freshCheckout();
  const gone = ['compose', 'scripts', 'config/nginx', 'config/.env.common', 'config/.env.sandbox'];
  await Promise.all(gone.map((path) => rm(join(cwd, path), { recursive: true })));
  return { cwd };
}
