/**
 * The deployer is killed at every step under load, and `heal` from a fresh checkout restores the fleet. After Ctrl-C at
 * every step, no heal is needed. The results are the table in docs/safety.md.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { CRASH_POINTS, type CrashPoint, DROPLETS, killAt, type Place } from './crash-points.js';
import { CrashTable } from './crash-table.js';
import { type Borrowed, fleetPool } from './fleet-pool.js';
import { dropletState, expectInRotation, expectNoFailures, expectWhole, stateOf } from './fleet-state.js';
import { begins, when } from './moments.js';
import type { SandboxFleet } from './sandbox-fleet.js';

const PLACES: Place[] = ['first', 'second'];

const COLUMNS = {
  point: 'the deployer stops at',
  left: 'killed: its droplet is left',
  first: 'then `heal`, first droplet',
  second: 'then `heal`, second droplet',
  interruptedFirst: 'Ctrl-C, first droplet',
  interruptedSecond: 'Ctrl-C, second droplet',
};
const table = new CrashTable(
  Object.values(COLUMNS),
  CRASH_POINTS.map(({ name }) => name),
);

interface Case {
  point: CrashPoint;
  place: Place;
}

const cases = CRASH_POINTS.flatMap((point) =>
  (point.once ? (['second'] as const) : PLACES).map((place): Case => ({ point, place })),
);
/** One per step: in the middle of a call, a signal has the same effect. */
const interrupted = cases.filter(({ point }) => point.name === point.step);
let played = 0;
const title = ({ point, place }: Case) => `${point.name}, at the ${place} droplet`;

describe('a deploy', () => {
  const withFleet = fleetPool();
  // With -t only some cases run: the other cells of the table are kept.
  afterAll(() => table.compareOrUpdate(played === cases.length + interrupted.length));

  for (const one of cases) {
    it.concurrent(`killed at ${title(one)} is healed without a failed request`, () =>
      withFleet((borrowed) => killAndHeal(one, borrowed)));
  }

  for (const one of interrupted) {
    it.concurrent(`interrupted at ${title(one)} leaves the fleet whole by itself`, () =>
      withFleet((borrowed) => interrupt(one, borrowed)));
  }
});

async function killAndHeal({ point, place }: Case, { fleet, old, next }: Borrowed): Promise<void> {
  played += 1;
  const droplet = DROPLETS[place];
  const load = fleet.load(20);
  const run = fleet.start(['deploy', 'sandbox', next, '--yes', '--json']);
  await killAt(point, place, { fleet, run, droplet, next });
  expect(await run.ended).toMatchObject({ signal: 'SIGKILL' });
  const { rotation, recorded } = dropletState(fleet, droplet);

  const version = await heal(fleet);
  expectNoFailures(await load.stop());

  table.set(point.name, COLUMNS.left, `${rotation === 'in' ? 'in rotation' : 'out'}${recorded ? ', recorded' : ''}`);
  table.set(point.name, COLUMNS[place], `all on the ${version === old ? 'old' : 'new'} release`);
}

async function interrupt({ point, place }: Case, { fleet, old, next }: Borrowed): Promise<void> {
  played += 1;
  const droplet = DROPLETS[place];
  const load = fleet.load(20);
  const run = fleet.start(['deploy', 'sandbox', next, '--yes', '--json']);
  await when(run, begins(point.step, droplet), () => void run.child.kill('SIGINT'));
  const end = await run.ended;

  expectInRotation(fleet, [old, next]);
  const { version } = dropletState(fleet, droplet);
  const complete = stateOf(fleet).every((one) => one.version === next);
  // A signal while the last droplet is being finished changes nothing.
  expect(end).toMatchObject({ code: complete ? 0 : 130, result: { outcome: complete ? 'succeeded' : 'interrupted' } });
  expect(end.events.filter(({ type }) => type === 'deploy-interrupted')).toHaveLength(1);

  await heal(fleet);
  expectNoFailures(await load.stop());

  const begun = end.events.some(({ type }) => type === 'batch-started');
  const became = version === old ? 'put back on the old release' : 'brought to the new release';
  const column = place === 'first' ? COLUMNS.interruptedFirst : COLUMNS.interruptedSecond;
  table.set(point.name, column, begun ? became : 'nothing was begun');
}

/** Heals from a fresh checkout, like a new CI runner. Returns the version that all droplets run. */
async function heal(fleet: SandboxFleet): Promise<string> {
  const healed = await fleet.run(['heal', 'sandbox', '--json'], { cwd: await fleet.freshCheckout() });
  expect(healed.result?.outcome, healed.stdout + healed.stderr).toMatch(/^(succeeded|skipped)$/);
  expect(healed.code).toBe(0);
  return expectWhole(fleet);
}
