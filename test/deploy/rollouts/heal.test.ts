/** Complete runs in virtual time: what heal does after a rollout that was stopped. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { removeCopies, smallFleets } from '../../simulation/transpiled.js';

let fleetOf: Awaited<ReturnType<typeof smallFleets>>;
beforeAll(async () => {
  fleetOf = await smallFleets('heal');
});
afterAll(removeCopies);

/** When the n-th droplet is confirmed, counted from 0: it is done first. */
const interruptAt = (nth: number) => ({ interrupt: { call: 'confirm' as const, nth } });

it('a rollout that was interrupted is neither finished nor taken back, and both ways on are named', async () => {
  const { run, runs } = fleetOf({ fleet: 6 });
  const interrupted = await run('deploy', 'v3', interruptAt(2));
  expect(runs()).toEqual(['v3', 'v3', 'v3', 'v1', 'v1', 'v1']);
  const back = /^do-deploy rollback production \S+-v1$/;
  expect(interrupted).toMatchObject({
    outcome: 'interrupted',
    next: 'do-deploy production v3',
    ways: { forward: 'do-deploy production v3', back: expect.stringMatching(back) },
  });

  const healed = await run('heal');
  expect(healed).toMatchObject({ outcome: 'skipped', ways: interrupted?.ways });
  expect(healed?.summary).toMatch(
    /^Every droplet is in rotation, healthy and verified\. The fleet is on 2 releases: web-1, web-2, web-3 run \S+-v3; web-4, web-5, web-6 run \S+-v1\.$/,
  );
  expect(runs()).toEqual(['v3', 'v3', 'v3', 'v1', 'v1', 'v1']);

  const id = healed?.ways?.back.split(' ').at(-1) ?? '';
  expect(await run('rollback', id)).toMatchObject({ outcome: 'succeeded' });
  expect(runs()).toEqual(['v1', 'v1', 'v1', 'v1', 'v1', 'v1']);
});

it('a droplet that was left half-way gets the release of most others, which stay as they are', async () => {
  const { run, runs } = fleetOf({ fleet: 5 });
  const crash = { call: 'switch', nth: 1, applied: true, power: false };
  expect(await run('deploy', 'v3', { crash })).toBeUndefined();
  const healed = await run('heal');
  expect(healed).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(healed?.rows.map(({ outcome, release }) => [outcome, release.replace(/^.*-/, '')])).toEqual([
    ['up to date', 'v3'],
    ['deployed', 'v1'],
    ['up to date', 'v1'],
    ['up to date', 'v1'],
    ['up to date', 'v1'],
  ]);
  expect(runs()).toEqual(['v3', 'v1', 'v1', 'v1', 'v1']);
});

it('rollback without a release undoes the rollout that was interrupted, not the one before', async () => {
  const { run, runs } = fleetOf({ fleet: 3 });
  expect(await run('deploy', 'v9')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('rollback', 'v1')).toMatchObject({ outcome: 'succeeded' });
  expect(await run('deploy', 'v3', interruptAt(0))).toMatchObject({ outcome: 'interrupted' });
  expect(runs()).toEqual(['v3', 'v1', 'v1']);
  expect(await run('rollback')).toMatchObject({ outcome: 'succeeded', release: { imageTag: 'v1' } });
  expect(runs()).toEqual(['v1', 'v1', 'v1']);
});

it('after a role that has failed, heal names the same ways as the deploy did', async () => {
  const { run } = fleetOf({ fleet: 4, target: 'roles', onlyOn: 2 });
  const failed = await run('deploy', 'v2');
  expect(failed).toMatchObject({ outcome: 'failed', next: expect.stringMatching(/rollback production \S+-v1$/) });
  expect(await run('heal')).toMatchObject({ ways: { forward: 'do-deploy production v2', back: failed?.next } });
});

it('a second try that fails in the same way says so once more', async () => {
  const { run } = fleetOf({ fleet: 4, target: 'roles', onlyOn: 2 });
  const first = await run('deploy', 'v2');
  const second = await run('deploy', 'v2', { force: true });
  expect(second).toMatchObject({ outcome: 'failed', next: first?.next });
  expect(second?.summary).toMatch(/The fleet is on 2 releases: web runs \S+-v2; worker runs \S+-v1\./);
});
