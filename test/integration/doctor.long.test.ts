import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runCommandLine } from '../support/command-line.js';
import { SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });
let fleet: SandboxFleet;
const run = (...argv: string[]) =>
  runCommandLine(argv, {
    cwd: fleet.folder,
    env: { PATH: process.env.PATH, HOME: fleet.folder, CI: 'true', NO_COLOR: '1' },
  });
beforeAll(async () => {
  fleet = await SandboxFleet.start();
});
afterAll(() => fleet.stop());
it('x', async () => {
  console.log(await run('doctor', 'sandbox'));
  console.log(
    await run('deploy', 'sandbox', 'v1', '--yes', '--quiet', '--config', `${fleet.folder}/config/deploy.first.yml`),
  );
  const t = Date.now();
  console.log(await run('doctor', 'sandbox'));
  console.log(Date.now() - t);
  console.log(await run('doctor', '--json'));
  console.log(fleet.region.droplet('web-1').unimplemented, fleet.region.world.unknownRequests);
  expect(1).toBe(1);
});
