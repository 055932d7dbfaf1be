/** Fleets without a balancer: droplets by tag, and droplets of a list. Each test leaves the fleet whole. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { dropletState } from './fleet-state.js';
import { begins, when } from './moments.js';
import { edit } from './refusal.js';
import { type CommandEnd, SandboxFleet } from './sandbox-fleet.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const TAG = 'workers';
const NAMES = ['web-1', 'web-2', 'web-3'];

let fleet: SandboxFleet;

/** The environment `sandbox` becomes one without a balancer. */
async function retarget(target: Record<string, unknown>): Promise<void> {
  await edit(fleet.folder, 'config/deploy.yml', (text) => {
    const settings = parse(text) as { environments: object };
    return stringify({ ...settings, environments: { ...settings.environments, sandbox: target } });
  });
}

beforeAll(async () => {
  fleet = await SandboxFleet.start({ droplets: 3 });
  const { world, balancerId } = fleet.region;
  const ids = NAMES.map((name) => fleet.region.droplet(name).id);
  // What is asked of the balancer would show.
  world.removeFromBalancer(balancerId, ids);
  await retarget({ tag: TAG });
  world.createTag(TAG);
});
afterAll(() => fleet.stop());

const command = (...words: string[]) => fleet.run([...words, '--json']);
const deploy = (release: string, ...more: string[]) => command('deploy', 'sandbox', release, '--yes', ...more);

const order = ({ events }: CommandEnd) =>
  events.flatMap((event) => (event.type === 'batch-started' ? [event.droplets.join()] : []));

function expectWorkers(version: string, names: readonly string[] = NAMES): void {
  const found = names.map((name) => dropletState({ region: fleet.region } as SandboxFleet, name));
  const whole = { rotation: 'out', recorded: false, locked: false, marked: false, version };
  expect(found).toEqual(found.map((one) => ({ ...one, ...whole })));
  expect(fleet.region.world.unknownRequests).toEqual([]);
  const { apiLog } = fleet.region;
  expect(apiLog.filter(({ method, path }) => method !== 'GET' && path.includes('load_balancers'))).toEqual([]);
}

describe('fleets without a balancer', { shuffle: false }, () => {
  describe('droplets by tag', { shuffle: false }, () => {
    it('are refused while no droplet has the tag', async () => {
      const end = await deploy('v1');
      expect(end).toMatchObject({ code: 2, result: { error: { code: 'no-droplets' } } });
      expect(end.result?.error?.message).toBe('No droplet has the tag "workers".');
      expect(await command('status', 'sandbox')).toMatchObject({ code: 2 });
    });

    it('are refused when there is one only, because nothing would run', async () => {
      const { world } = fleet.region;
      world.tagDroplets(TAG, [fleet.region.droplet('web-1').id]);
      expect(await deploy('v1')).toMatchObject({ code: 2, result: { error: { code: 'fleet-of-one' } } });
      const others = ['web-2', 'web-3'].map((name) => fleet.region.droplet(name).id);
      world.tagDroplets(TAG, others);
    });

    it('get the release one after the other, each recorded while it changes', async () => {
      const first = await deploy('v1');
      expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 });
      expectWorkers('v1');
      const run = fleet.start(['deploy', 'sandbox', 'v2', '--yes', '--json']);
      let recorded: unknown;
      await when(run, begins('switch', 'web-2'), () => {
        recorded = NAMES.map((name) => dropletState(fleet, name).recorded);
      });
      const end = await run.ended;
      expect(end, end.stdout + end.stderr).toMatchObject({ code: 0, result: { outcome: 'succeeded' } });
      expect(recorded).toEqual([false, true, false]);
      expect(order(end)).toEqual(NAMES);
      expect(end.result?.summary).toBe('All 3 droplets run.');
      expectWorkers('v2');
      expect(await deploy('v2')).toMatchObject({ code: 0, result: { outcome: 'skipped' } });
    });

    it('stop at the first that fails, which goes back', async () => {
      const end = await deploy('broken');
      expect(end).toMatchObject({ code: 1, result: { outcome: 'failed' } });
      expect(order(end)).toEqual(['web-1']);
      expectWorkers('v2');
    });

    it('go back, and have a history', async () => {
      expect(await command('rollback', 'sandbox', '--yes')).toMatchObject({ code: 0 });
      expectWorkers('v1');
      const history = await fleet.run(['history', 'sandbox']);
      expect(history.stdout).toMatch(/rollback[\s\S]*deploy/);
      const status = await fleet.run(['status', 'sandbox']);
      expect(status, status.stdout).toMatchObject({ code: 0 });
      expect(status.stdout).toMatch(/web-1 .* - .*v1/);
      expect(await command('lock', 'status', 'sandbox')).toMatchObject({ code: 0 });
    });

    it('of a run that was killed are found by the ledger: heal restores them, and the next run does', async () => {
      const kill = async (release: string) => {
        const run = fleet.start(['deploy', 'sandbox', release, '--yes', '--json']);
        await when(run, begins('health', 'web-2'), () => run.child.kill('SIGKILL'));
        await run.ended;
      };
      await kill('v2');
      expect(dropletState(fleet, 'web-2')).toMatchObject({ recorded: true, marked: true });
      const check = await fleet.run(['status', 'sandbox', '--check']);
      expect(check.code).toBe(4);
      expect(check.stdout).toMatch(/web-2.*recorded as being changed[\s\S]*do-deploy heal sandbox/);
      const healed = await fleet.run(['heal', 'sandbox', '--json'], { cwd: await fleet.freshCheckout() });
      expect(healed, healed.stdout).toMatchObject({ code: 0 });
      expect(dropletState(fleet, 'web-2')).toMatchObject({ recorded: false, marked: false });
      expect(await deploy('v2')).toMatchObject({ code: 0 });
      expectWorkers('v2');
      await kill('v1');
      const end = await deploy('v1');
      expect(end, end.stdout).toMatchObject({ code: 0 });
      expect(order(end)[0], 'the one that was left goes first').toBe('web-2');
      expectWorkers('v1');
    });

    it('that join are brought to the release by adopt, and one that is off is named', async () => {
      await fleet.region.addDroplet({ name: 'web-4', tags: [TAG] });
      expect((await fleet.run(['status', 'sandbox', '--check'])).stdout).toContain('do-deploy adopt sandbox');
      const adopted = await command('adopt', 'sandbox');
      expect(adopted, adopted.stdout).toMatchObject({ code: 0 });
      expect(order(adopted)).toEqual(['web-4']);
      expectWorkers('v1', [...NAMES, 'web-4']);
      const record = fleet.region.world.droplets.get(fleet.region.droplet('web-4').id);
      if (record) record.status = 'off';
      const end = await deploy('v2');
      expect(end).toMatchObject({ code: 1, result: { error: { code: 'droplet-off' } } });
      expect(end.result?.error?.hint).toContain('remove them from the tag "workers"');
      fleet.region.world.untagDroplets(TAG, [fleet.region.droplet('web-4').id]);
    });
  });

  describe('droplets whose app is asked', { shuffle: false }, () => {
    const asking = (path: string) =>
      retarget({ tag: TAG, rollout: { health: { timeout: '6s', http: { port: 80, path } } } });

    it('fail where it does not answer with 2xx, and recover where it does', async () => {
      await asking('/no-such-page');
      expect(await deploy('v2')).toMatchObject({ code: 2, result: { error: { code: 'app-check-wrong' } } });
      expectWorkers('v1');
      const end = await deploy('v2', '--skip-first-check');
      expect(end, end.stdout).toMatchObject({ code: 1, result: { error: { code: 'app-check-failed' } } });
      expect((await fleet.run(['status', 'sandbox'])).stdout).toContain("the app's check fails");
      await asking('/healthz');
      const healed = await command('heal', 'sandbox');
      expect(healed, healed.stdout).toMatchObject({ code: 0 });
      expect(await deploy('v1')).toMatchObject({ code: 0 });
      expectWorkers('v1');
    });
  });

  describe('droplets of a list', { shuffle: false }, () => {
    it('that do not exist are named, all at once', async () => {
      await retarget({ droplets: [fleet.region.droplet('web-1').id, 999_999_998, 'web-99'] });
      const end = await deploy('v2');
      expect(end).toMatchObject({ code: 2, result: { error: { code: 'droplet-not-found' } } });
      expect(end.result?.error?.message).toBe('There are no droplets 999999998, web-99.');
    });

    it('get the release by id or by name, and no others do', async () => {
      await retarget({ droplets: [fleet.region.droplet('web-1').id, 'web-3'] });
      const end = await deploy('v2');
      expect(end, end.stdout).toMatchObject({ code: 0 });
      expect(order(end)).toEqual(['web-1', 'web-3']);
      expectWorkers('v2', ['web-1', 'web-3']);
      expectWorkers('v1', ['web-2']);
      expect(await fleet.run(['status', 'sandbox', '--check'])).toMatchObject({ code: 0 });
    });

    it('stop where the floor would be broken', async () => {
      await edit(fleet.folder, 'config/deploy.yml', (text) => `${text}\nrollout: { min_in_rotation: 2 }\n`);
      expect(await deploy('v1')).toMatchObject({ code: 2, result: { error: { code: 'floor-impossible' } } });
      expectWorkers('v2', ['web-1', 'web-3']);
    });
  });
});
