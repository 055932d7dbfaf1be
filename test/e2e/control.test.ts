/** A gate that turns bad while a rollout pauses or bakes: what has got the release goes back, and no request fails. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { DeployEvent } from '../../src/rollout/model.js';
import { Fleet } from './lab/fleet.js';

/** Says no as soon as the file is there. */
const BAD = 'gate.bad';
const GATE = {
  name: 'errors',
  command: `test ! -e ${BAD} || { echo "$DO_DEPLOY_IMAGE_TAG: 3.1% errors"; exit 1; }`,
  every: '1s',
  fail_after: 2,
};

/** Two droplets on v1. */
let fleet: Fleet;
beforeAll(async () => {
  fleet = await Fleet.start({ droplets: 2 });
  await fleet.deployFirst('v1');
});
afterAll(() => fleet.stop());
beforeEach(async () => {
  await rm(join(fleet.project.folder, BAD), { force: true });
  fleet.balancer.watchServing();
});

const begins = (rest: 'pause' | 'bake') => (event: DeployEvent) => event.type === 'rest-started' && event.rest === rest;

it.each([
  {
    rest: 'pause' as const,
    rollout: { pause: '5m', gates: [GATE] },
    before: { 'web-1': 'v2', 'web-2': 'v1' },
    outcomes: ['reverted', 'not deployed'],
  },
  {
    rest: 'bake' as const,
    rollout: { bake: '5m', on_failure: 'revert-fleet', gates: [GATE] },
    before: { 'web-1': 'v2', 'web-2': 'v2' },
    outcomes: ['reverted', 'reverted'],
  },
])('a gate that turns bad during a $rest takes the release back', async ({ rest, rollout, before, outcomes }) => {
  await fleet.project.configure({ rollout });
  const load = fleet.load();
  const deploy = fleet.startDeploy('v2');
  await deploy.event(begins(rest));
  expect(await fleet.versions()).toEqual(before);
  await fleet.project.write(BAD, '');
  const end = await deploy.ended;
  const report = await load.stop();

  expect(report).toMatchObject({ failed: 0, failures: [] });
  expect(end).toMatchObject({ code: 1, result: { outcome: 'failed', error: { code: 'gate-failed' } } });
  expect(end.result?.error?.message).toBe('Gate errors failed 2 times in a row: exit code 1: v2: 3.1% errors.');
  expect(end.result?.rows.map(({ outcome }) => outcome)).toEqual(outcomes);
  expect(await fleet.versions()).toEqual(fleet.all('v1'));
  expect(await fleet.rotation()).toEqual(fleet.whole);
  expect(fleet.balancer.fewestServing).toBe(1);
});
