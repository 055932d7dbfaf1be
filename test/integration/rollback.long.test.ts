import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.js';
import { runCommandLine } from '../support/command-line.js';
import { edit } from './refusal.js';
import { SandboxFleet } from './sandbox-fleet.js';

// The second one asks for what the first one has rolled.
describe('going back', { shuffle: false }, () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('rolls the fleet back from what the droplets keep, with the registry stopped, and keeps a history of it', async () => {
    for (const release of ['v2', 'v3']) {
      const forward = await fleet.run(['deploy', 'sandbox', release, '--yes', '--json']);
      expect(forward.result?.outcome).toBe('succeeded');
    }
    fleet.region.registry.stop();

    const load = fleet.load();
    const back = await fleet.run(['rollback', 'sandbox', 'v1', '--yes', '--json'], {
      cwd: await fleet.freshCheckout(),
    });
    expect(back).toMatchObject({ code: 0, result: { outcome: 'succeeded', release: { imageTag: 'v1' } } });
    expect(await load.stop()).toMatchObject({ failed: 0 });
    expect(await (await fetch(fleet.region.balancerUrl)).text()).toContain('v1');

    const unknown = await fleet.run(['rollback', 'sandbox', 'v9', '--yes', '--json']);
    expect(unknown).toMatchObject({ code: 2, result: { error: { code: 'no-such-release' } } });
    expect(unknown.result?.error?.hint, 'names what it can go back to').toMatch(/\dZ-v3, \S+Z-v2\./);

    const history = async (cwd: string) => (await fleet.run(['history', 'sandbox', '--json'], { cwd })).stdout;
    const told = (await history(fleet.folder)).trim().split('\n');
    expect(
      told.map((line) => JSON.parse(line)).map(({ command, imageTag, outcome }) => [command, imageTag, outcome]),
    ).toEqual([
      ['rollback', 'v1', 'succeeded'],
      ['deploy', 'v3', 'succeeded'],
      ['deploy', 'v2', 'succeeded'],
      ['deploy', 'v1', 'succeeded'],
    ]);
    expect(await history(await fleet.freshCheckout()), 'the same from another machine').toBe(`${told.join('\n')}\n`);
  });

  it('asks a user at a terminal by the name of the release, and accepts a no', async () => {
    const cwd = await fleet.freshCheckout();
    await edit(cwd, 'config/deploy.yml', (text) =>
      text.replace('    load_balancer: web', '    load_balancer: web\n    confirm: true'),
    );
    const calls = fleet.region.apiLog.length;
    const { exit, stdout } = await runCommandLine(['rollback', 'sandbox', '--no-color'], {
      cwd,
      env: { HOME: cwd },
      isTerminal: true,
      answer: 'n\n',
    });
    expect(exit).toBe(EXIT.interrupted);
    expect(stdout).toMatch(/Roll sandbox back to v3, release \d{8}T\d{6}Z-v3\? \[y\/N\] /);
    expect(stdout).toContain('Nothing was changed.\n');
    expect(fleet.region.apiLog.slice(calls).filter(({ method }) => method !== 'GET')).toEqual([]);
  });
});
