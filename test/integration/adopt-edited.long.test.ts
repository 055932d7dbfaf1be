/** On every droplet, another file of the release was edited: together they still have all of it. */
import { appendFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { currentFile } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

it('adopt restores the files, and is refused only if no droplet has a file intact', async () => {
  await appendFile(currentFile(fleet, 'web-1', 'config/nginx/nginx.conf'), '# by hand\n');
  await appendFile(currentFile(fleet, 'web-2', 'config/.env.sandbox'), 'PASSWORD=by-hand\n');
  await rm(currentFile(fleet, 'web-3', 'config/.env.common'));
  const check = () => fleet.run(['status', 'sandbox', '--check']);
  expect(await check()).toMatchObject({
    code: 4,
    stdout: expect.stringContaining('adopt sandbox fixes 3 differences'),
  });
  expect(await fleet.run(['adopt', 'sandbox', '--json'])).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
  expect(await check()).toMatchObject({ code: 0 });

  for (const name of ['web-1', 'web-2', 'web-3']) {
    await writeFile(currentFile(fleet, name, 'config/.env.common'), 'APP_NAME=by-hand\n');
  }
  expect(await fleet.run(['adopt', 'sandbox', '--json'])).toMatchObject({
    code: 1,
    result: { error: { code: 'release-damaged' } },
  });
});
