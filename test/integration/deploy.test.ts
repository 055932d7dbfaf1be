/** A deploy, and `status`, `staging`, `history` and `lock` on a running sandbox. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

// In order, on one fleet: each test sees what the earlier ones did.
describe('a deploy of three droplets under load', { shuffle: false }, () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start();
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  async function watchedFromOutside(): Promise<void> {
    const file = join(fleet.folder, 'config/deploy.yml');
    const settings = parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, stringify({ ...settings, rollout: { probe: fleet.region.balancerUrl } }));
  }

  it('takes the fleet from v1 to v2 without a failed request, never below two droplets', async () => {
    await watchedFromOutside();
    const load = fleet.load();
    const end = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    const report = await load.stop();

    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
    expect(end.result?.rows.map((row) => [row.outcome, row.rotation, row.health])).toEqual([
      ['deployed', 'in', 'healthy'],
      ['deployed', 'in', 'healthy'],
      ['deployed', 'in', 'healthy'],
    ]);
    expect(report).toMatchObject({ failed: 0, failures: [] });
    expect(report.total).toBeGreaterThan(100);
    const { url, total, failed, firstFailure } = end.result?.probes ?? {};
    expect({ url, failed, firstFailure }).toEqual({ url: fleet.region.balancerUrl, failed: 0 });
    expect(total).toBeGreaterThan(5);
    expect(fleet.region.fewestServing()).toBe(2);
    expect(fleet.region.world.unknownRequests).toEqual([]);
    expect([...fleet.region.droplets.values()].flatMap((droplet) => droplet.unimplemented)).toEqual([]);

    const again = await fleet.run(['deploy', 'sandbox', 'v2', '--yes', '--json']);
    expect(again, 'the second time there is nothing to do').toMatchObject({ code: 0, result: { outcome: 'skipped' } });
  });

  it("status shows every droplet's name, address, rotation, release and health", async () => {
    const calls = fleet.region.apiLog.length;
    const { code, stdout, stderr } = await fleet.run(['status', 'sandbox']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.replace(/\d{8}T\d{6}Z/g, 'YYYYMMDDTHHMMSSZ').split('\n')).toEqual([
      'shop: sandbox',
      'DROPLET  ADDRESS      ROTATION  RELEASE              HEALTH',
      expect.stringMatching(/^web-1 +203\.0\.113\.\d+ +in +YYYYMMDDTHHMMSSZ-v2 +healthy$/),
      expect.stringMatching(/^web-2 +203\.0\.113\.\d+ +in +YYYYMMDDTHHMMSSZ-v2 +healthy$/),
      expect.stringMatching(/^web-3 +203\.0\.113\.\d+ +in +YYYYMMDDTHHMMSSZ-v2 +healthy$/),
      '',
    ]);
    expect(new Set(fleet.region.apiLog.slice(calls).map(({ method }) => method)), 'it only looks').toEqual(
      new Set(['GET']),
    );

    const json = await fleet.run(['status', 'sandbox', '--json']);
    expect(json.events).toMatchObject([
      {
        schema: 2,
        type: 'status',
        heading: 'shop: sandbox',
        rows: [
          { name: 'web-1', address: '203.0.113.1', rotation: 'in', release: /-v2$/, health: 'healthy' },
          { name: 'web-2', address: '203.0.113.2', rotation: 'in', release: /-v2$/, health: 'healthy' },
          { name: 'web-3', address: '203.0.113.3', rotation: 'in', release: /-v2$/, health: 'healthy' },
        ].map((row) => ({
          ...row,
          address: expect.stringMatching(/^203\./),
          release: expect.stringMatching(row.release),
        })),
      },
    ]);
  });

  it('staging deploys one droplet by its id and touches no balancer; status without a name shows both', async () => {
    const calls = fleet.region.apiLog.length;
    const end = await fleet.run(['staging', 'v2', '--json']);
    expect(end).toMatchObject({ code: 0, result: { outcome: 'succeeded', summary: 'The droplet runs.' } });
    expect(end.result?.rows).toMatchObject([
      { name: 'staging', rotation: 'none', health: 'healthy', outcome: 'deployed' },
    ]);
    const id = fleet.region.stagingDropletId;
    expect(new Set(fleet.region.apiLog.slice(calls).map(({ method, path }) => `${method} ${path}`))).toEqual(
      new Set([`GET /v2/droplets/${id}`]),
    );

    const { stdout } = await fleet.run(['status']);
    expect(stdout.split('\n').map((line) => line.split(/ +/).join(' '))).toEqual([
      'shop: sandbox',
      'DROPLET ADDRESS ROTATION RELEASE HEALTH',
      expect.stringMatching(/^web-1 \S+ in \S+-v2 healthy$/),
      expect.stringMatching(/^web-2 \S+ in \S+-v2 healthy$/),
      expect.stringMatching(/^web-3 \S+ in \S+-v2 healthy$/),
      '',
      'shop: staging',
      'DROPLET ADDRESS ROTATION RELEASE HEALTH',
      expect.stringMatching(/^staging \S+ - \S+-v2 healthy$/),
      '',
    ]);
  });

  it('history and lock speak JSON as docs/events.md shows it', async () => {
    const document = readFileSync('docs/events.md', 'utf8');
    const shown = (type: string) =>
      JSON.parse(document.split('\n').find((line) => line.includes(`"type":"${type}"`)) ?? '');
    const [line] = (await fleet.run(['history', 'sandbox', '--json'])).events;
    expect(Object.keys(line ?? {})).toEqual(Object.keys(shown('history')));
    expect(line).toMatchObject({ probes: { failed: 0 } });
    expect(line).toMatchObject({ type: 'history', command: 'deploy', imageTag: 'v2', outcome: 'succeeded' });

    // It runs long enough to be asked about.
    const staging = fleet.region.droplet('staging');
    await staging.setFaults({ pullDelayMs: 600_000 });
    const deploy = fleet.start(['staging', 'v3', '--json']);
    await new Promise<void>((resolve) => {
      deploy.onEvent((event) => event.type === 'step-started' && event.step === 'pull' && resolve());
    });
    const [locks] = (await fleet.run(['lock', 'status', 'staging', '--json'])).events;
    expect(Object.keys(locks ?? {})).toEqual(Object.keys(shown('locks')));
    const { rows } = locks as unknown as { rows: { droplet: string; state: string; holder: object }[] };
    expect(rows.map(({ droplet, state }) => [droplet, state])).toEqual([['staging', 'held']]);
    expect(rows.map(({ holder }) => Object.keys(holder))).toEqual(
      rows.map(() => Object.keys(shown('locks').rows[0].holder)),
    );
    deploy.child.kill('SIGKILL');
    await deploy.ended;
    await staging.clearFaults();
  });
});
