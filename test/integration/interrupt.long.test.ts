/** Signals other than a single Ctrl-C, which the crash matrix tests at every step. All under load. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Borrowed, fleetPool } from './fleet-pool.js';
import { dropletState, expectInRotation, expectNoFailures, expectWhole } from './fleet-state.js';
import { heal, takeWay } from './heal-fleet.js';
import { begins, when } from './moments.js';
import type { SandboxFleet } from './sandbox-fleet.js';

/** A second signal within this time counts as the same one: npm passes Ctrl-C on. */
const ECHO_MS = 1_000;

const deploy = (version: string, ...more: string[]) => ['deploy', 'sandbox', version, '--yes', '--json', ...more];

describe('a deploy', () => {
  const withFleet = fleetPool();

  it.concurrent('stops immediately after a second Ctrl-C, and heal restores the fleet', () => withFleet(twoSignals));
  it.concurrent('counts the same Ctrl-C twice, as from npm, as one', () => withFleet(anEcho));
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    it.concurrent(`finishes the current droplet safely after a ${signal}`, () =>
      withFleet((borrowed) => oneSignal(signal, borrowed)));
  }
  it.concurrent('stops when the grace period after an interruption ends, and heal restores the fleet', () =>
    withFleet(graceOver));
  it.concurrent('gives post_deploy the grace period, and the next deploy makes up for it', () =>
    withFleet(graceOfPostDeploy));
  it.concurrent('ends immediately while it waits for a lock', () => withFleet(waitingForALock));
});

async function oneSignal(signal: NodeJS.Signals, { fleet, old, next }: Borrowed): Promise<void> {
  const load = fleet.load(20);
  const run = fleet.start(deploy(next));
  await when(run, begins('drain', 'web-1'), () => void run.child.kill(signal));
  expect(await run.ended).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
  expect(run.events).toContainEqual(expect.objectContaining({ type: 'deploy-interrupted', signal }));
  expectInRotation(fleet, [old]);
  expectWhole(fleet);
  expectNoFailures(await load.stop());
}

/** Long enough for a second signal during the switch. */
const SLOW = { execDelayMs: 6_000 };

async function twoSignals({ fleet, next }: Borrowed): Promise<void> {
  const load = fleet.load(20);
  const run = fleet.start(deploy(next));
  await when(run, begins('switch', 'web-1'), () => {
    void fleet.region.droplet('web-1').setFaults(SLOW);
    run.child.kill('SIGINT');
  });
  await when(run, ({ type }) => type === 'deploy-interrupted');
  await sleep(ECHO_MS + 200);
  run.child.kill('SIGINT');
  const since = Date.now();
  const end = await run.ended;
  expect(end).toMatchObject({ code: 130 });
  expect(Date.now() - since, 'it did not wait for the step').toBeLessThan(SLOW.execDelayMs);
  expect(end.result?.rows[0]).toMatchObject({ outcome: 'unfinished', health: 'unknown' });
  expect((await fleet.run(['history', 'sandbox', '--json'])).events[0]).toMatchObject({ outcome: 'interrupted' });
  expect(run.events.filter(({ type }) => type === 'step-started').at(-1)).toMatchObject({ step: 'switch' });
  await restoredByHeal(fleet);
  expectNoFailures(await load.stop());
}

async function anEcho({ fleet, old, next }: Borrowed): Promise<void> {
  const load = fleet.load(20);
  const run = fleet.start(deploy(next));
  await when(run, begins('switch', 'web-1'), () => void run.child.kill('SIGINT'));
  await when(
    run,
    ({ type }) => type === 'deploy-interrupted',
    () => void run.child.kill('SIGINT'),
  );
  expect(await run.ended).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
  expectInRotation(fleet);
  expect([dropletState(fleet, 'web-1').version, dropletState(fleet, 'web-2').version]).toEqual([next, old]);
  const healed = await heal(fleet);
  expect(healed.versions, 'heal does not finish what was stopped').toEqual([next, old]);
  expect(await takeWay(fleet, healed, 'forward')).toBe(next);
  expectNoFailures(await load.stop());
}

async function graceOver({ fleet, next }: Borrowed): Promise<void> {
  const config = join(fleet.folder, 'config/deploy.impatient.yml');
  const usual = await readFile(join(fleet.folder, 'config/deploy.yml'), 'utf8');
  await writeFile(config, `${usual}rollout:\n  interrupt_grace: 1s\n`);
  const load = fleet.load(20);
  const run = fleet.start(deploy(next, '--config', config));
  await when(run, begins('switch', 'web-2'), () => {
    void fleet.region.droplet('web-2').setFaults(SLOW);
    run.child.kill('SIGTERM');
  });
  expect((await run.ended).code).not.toBe(0);
  expect(run.events.filter(({ type }) => type === 'step-started').at(-1)).toMatchObject({ step: 'switch' });
  await restoredByHeal(fleet);
  expectNoFailures(await load.stop());
}

async function restoredByHeal(fleet: SandboxFleet): Promise<void> {
  const left = fleet.region.world.balancer(fleet.region.balancerId).shown.size;
  expect(left, 'droplets in rotation').toBe(1);
  for (const droplet of fleet.region.droplets.values()) await droplet.clearFaults();
  await takeWay(fleet, await heal(fleet), 'back');
}

async function graceOfPostDeploy({ fleet, next }: Borrowed): Promise<void> {
  const usual = await readFile(join(fleet.folder, 'config/deploy.yml'), 'utf8');
  const config = join(fleet.folder, 'config/deploy.hooked.yml');
  await writeFile(config, `${usual}hooks: { folder: hooked, timeout: 5m }\nrollout: { interrupt_grace: 3s }\n`);
  await mkdir(join(fleet.folder, 'hooked'), { recursive: true });
  const hook = `#!/bin/sh\n[ -e again ] && exit 0\ntouch again\ntrap 'echo cleaned; exit 1' TERM\nsleep 300 & wait\n`;
  await writeFile(join(fleet.folder, 'hooked/post_deploy'), hook, { mode: 0o755 });
  const run = fleet.start(deploy(next, '--config', config));
  await when(
    run,
    ({ type }) => type === 'layer-started',
    () => void run.child.kill('SIGINT'),
  );
  const end = await run.ended;
  expect(end).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
  expect(end.result?.next).toMatch(new RegExp(`^do-deploy sandbox ${next}\\b`));
  expect(run.events).toContainEqual(expect.objectContaining({ type: 'layer-output', line: 'cleaned' }));
  expectWhole(fleet, [next]);
  expect(await fleet.run(deploy(next, '--config', config))).toMatchObject({
    code: 0,
    result: { outcome: 'succeeded' },
  });
  await rm(join(fleet.folder, 'again'));
}

async function waitingForALock({ fleet, next }: Borrowed): Promise<void> {
  const first = fleet.start(deploy(next));
  await when(first, begins('mark-out', 'web-1'));
  const second = fleet.start(deploy('v3', '--wait-lock', '10m'), { cwd: await fleet.freshCheckout() });
  await when(
    second,
    (event) => event.type === 'notice' && event.message.includes('Waiting'),
    () => void second.child.kill('SIGINT'),
  );
  expect(await second.ended).toMatchObject({ code: 130, result: { outcome: 'interrupted' } });
  expect(await first.ended).toMatchObject({ code: 0 });
  expect(expectWhole(fleet)).toBe(next);
}
