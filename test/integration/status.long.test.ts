/** What `status` says of droplets that need something. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onDroplet } from './on-droplet.js';
import { SandboxFleet } from './sandbox-fleet.js';

// The last one adds a droplet.
describe('status', { shuffle: false }, () => {
  let fleet: SandboxFleet;
  beforeAll(async () => {
    fleet = await SandboxFleet.start({ droplets: 2 });
    await fleet.deployFirst('v1');
  });
  afterAll(() => fleet.stop());

  it('a droplet that was left out of rotation: heal, with the same configuration', async () => {
    const { region } = fleet;
    const { id } = region.droplet('web-2');
    region.world.tagDroplets('do-deploy:out:shop:sandbox', [id]);
    region.world.removeFromBalancer(region.balancerId, [id]);
    const status = await fleet.run(['status', 'sandbox']);
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expect(status.stdout).toMatch(/^Unless a deploy is running, repair it: do-deploy heal sandbox$/m);
    const json = await fleet.run(['status', 'sandbox', '--json', '--config', 'config/deploy.yml']);
    expect(json.events).toMatchObject([
      { next: 'do-deploy heal sandbox --config config/deploy.yml', rows: [{ name: 'web-1' }, { fix: 'heal' }] },
    ]);
    expect(await fleet.run(['heal', 'sandbox', '--json'])).toMatchObject({ code: 0 });
    expect((await fleet.run(['status', 'sandbox'])).stdout).not.toContain('do-deploy heal');
  });

  it('droplets of which none can be reached: exit code 1, and the reason of each', async () => {
    for (const name of ['web-1', 'web-2']) await fleet.region.droplet(name).setFaults({ ssh: 'refuse' });
    const status = await fleet.run(['status', 'sandbox']);
    expect(status.code).toBe(1);
    for (const name of ['web-1', 'web-2']) expect(status.stdout).toMatch(new RegExp(`^ {2}${name}: .*refused`, 'm'));
    await fleet.region.droplet('web-1').clearFaults();
    expect((await fleet.run(['status', 'sandbox'])).code, 'one is known').toBe(0);
    await fleet.region.droplet('web-2').clearFaults();
  });

  it('a droplet that serves what do-deploy did not start: the name of its project', async () => {
    const { region } = fleet;
    const { id } = await region.addDroplet({ name: 'web-3' });
    const compose = 'services:\n  app:\n    image: example/shop:v1\n';
    const start = `mkdir -p legacy && cd legacy && printf '%s' '${compose}' >compose.yml && docker compose -p legacy -f compose.yml pull && docker compose -p legacy -f compose.yml up --detach --no-build --pull never --remove-orphans`;
    await onDroplet(fleet, 'web-3', start);
    region.world.addToBalancer(region.balancerId, [id]);
    const { stdout } = await fleet.run(['status', 'sandbox', '--json']);
    const [{ rows }] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows[2]).toMatchObject({
      name: 'web-3',
      health: 'runs containers of project legacy, not deployed by do-deploy',
    });
  });
});
