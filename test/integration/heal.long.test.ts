/** What heal shows and asks before it changes anything. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.js';
import { runCommandLine } from '../support/command-line.js';
import { dropletState, expectWhole } from './fleet-state.js';
import { edit } from './refusal.js';
import { SandboxFleet } from './sandbox-fleet.js';

let fleet: SandboxFleet;
beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());

it('heal at a terminal shows what it will do with each droplet, and accepts a no', async () => {
  const { region } = fleet;
  const cwd = await fleet.freshCheckout();
  await edit(cwd, 'config/deploy.yml', (text) =>
    text.replace('    load_balancer: web', '    load_balancer: web\n    confirm: true'),
  );
  const heal = (answer: string, ...more: string[]) =>
    runCommandLine(['heal', 'sandbox', '--no-color', ...more], { cwd, env: { HOME: cwd }, isTerminal: true, answer });
  const { id } = region.droplet('web-2');
  region.world.tagDroplets('do-deploy:out:shop:sandbox', [id]);
  region.world.removeFromBalancer(region.balancerId, [id]);

  const calls = region.apiLog.length;
  const no = await heal('n\n');
  expect(no.exit).toBe(EXIT.interrupted);
  expect(no.stdout).toMatch(/^ {2}web-2 is out of rotation: \S+-v1 is started again, and rejoins\n/);
  expect(no.stdout).toContain('Repair 1 droplet of sandbox? [y/N] ');
  expect(no.stdout).toContain('Nothing was changed.\n');
  expect(region.apiLog.slice(calls).filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(dropletState(fleet, 'web-2').rotation).toBe('out');

  expect(await heal('y\n')).toMatchObject({ exit: 0 });
  expect(expectWhole(fleet)).toBe('v1');
  const nothing = await heal('n\n');
  expect(nothing, 'nothing to ask').toMatchObject({ exit: 0 });
  expect(nothing.stdout).toContain('Nothing to heal. Every droplet is in rotation, healthy and verified.');
});
