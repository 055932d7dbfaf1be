/** The log file that a changing run leaves. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SandboxFleet } from './sandbox-fleet.js';

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

it('is named when the run fails, has its remote commands, and no secret', async () => {
  const folder = join(fleet.folder, 'logs');
  const end = await fleet.run(['sandbox', 'broken', '--yes', '--quiet', '--log-dir', 'logs']);
  expect(end.code).toBe(1);
  const [dossier = '', name = '', ...others] = readdirSync(folder).sort();
  expect(others).toEqual([]);
  expect(name).toBe(`${dossier}.log`);
  expect(end.stderr).toContain(`What is known about the failure: ${join(folder, dossier)}\n`);
  expect(end.stderr).toContain(`The log of this run: ${join(folder, name)}\n`);
  const sick = readdirSync(join(folder, dossier)).sort();
  expect(sick).toEqual(['events.ndjson', 'summary.txt', expect.stringMatching(/^web-[12]\.evidence\.txt$/)]);
  const files = sick.map((one) => readFileSync(join(folder, dossier, one), 'utf8'));
  expect(files[1]).toContain('Deploy failed on web-');
  expect(files[2]).toContain('last log lines of app:');
  if (existsSync('/proc/meminfo')) expect(files[2]).toMatch(/droplet: .* of memory available/);
  for (const text of files) {
    expect(text).not.toContain('not-a-secret-in-the-sandbox');
    expect(text).not.toContain(fleet.region.api.token);
  }
  expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  const log = readFileSync(join(folder, name), 'utf8');
  expect(log).toMatch(/ssh web-1: run unpack: /);
  expect(log).toMatch(/DELETE \/v2\/load_balancers\//);
  expect(log).not.toContain('not-a-secret-in-the-sandbox');
  expect(log).not.toContain(fleet.region.api.token);
  expect(end.stdout).not.toContain('ssh web-1');
  expect(end.stdout.split('\n').length).toBeLessThan(log.split('\n').length);
});

it('has its place in the folder for state; a command that only reads leaves none', async () => {
  const env = { XDG_STATE_HOME: join(fleet.folder, 'state') };
  for (const command of ['status', 'plan', 'history']) await fleet.run([command, 'sandbox'], { env });
  expect(existsSync(env.XDG_STATE_HOME)).toBe(false);
  const { code, stderr } = await fleet.run(['heal', 'sandbox', '--yes'], { env });
  expect([code, stderr], 'it is not named where all is well').toEqual([0, '']);
  expect(readdirSync(join(env.XDG_STATE_HOME, 'do-deploy'))).toEqual([
    expect.stringMatching(/^\d{8}T\d{6}Z-sandbox-heal-\d+\.log$/),
    expect.stringMatching(/^\d{8}T\d{6}Z-sandbox-heal-\d+\.ndjson$/),
  ]);
});
