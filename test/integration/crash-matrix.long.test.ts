/**
 * The deployer is killed at every step under load, and `heal` from a fresh checkout restores the fleet. After Ctrl-C at
 * every step, no heal is needed, and none changes what runs. The results are the table in docs/safety.md.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { someOf } from '../support/some-of.js';
import { CRASH_POINTS, type CrashPoint, DROPLETS, killAt, type Place } from './crash-points.js';
import { CrashTable } from './crash-table.js';
import { type Borrowed, fleetPool } from './fleet-pool.js';
import { dropletState, expectInRotation, expectNoFailures, stateOf } from './fleet-state.js';
import { type Healed, heal, takeWay } from './heal-fleet.js';
import { begins, when } from './moments.js';

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

  for (const one of someOf(cases)) {
    it.concurrent(`killed at ${title(one)} is healed without a failed request`, () =>
      withFleet((borrowed) => killAndHeal(one, borrowed)));
  }

  for (const one of someOf(interrupted)) {
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

  const healed = await heal(fleet);
  expectNoFailures(await load.stop());

  table.set(point.name, COLUMNS.left, `${rotation === 'in' ? 'in rotation' : 'out'}${recorded ? ', recorded' : ''}`);
  table.set(point.name, COLUMNS[place], releasesIn(healed, old));
  await takeWay(fleet, healed, 'back');
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

  const before = stateOf(fleet).map((one) => one.version);
  const healed = await heal(fleet);
  expectNoFailures(await load.stop());
  expect(healed.versions, 'heal neither finishes nor undoes it').toEqual(before);

  const begun = end.events.some(({ type }) => type === 'batch-started');
  const became = version === old ? 'put back on the old release' : 'brought to the new release';
  const column = place === 'first' ? COLUMNS.interruptedFirst : COLUMNS.interruptedSecond;
  table.set(point.name, column, begun ? became : 'nothing was begun');
  if (healed.result?.ways !== undefined) expect(end.result?.ways).toEqual(healed.result.ways);
  await takeWay(fleet, healed, place === 'first' ? 'forward' : 'back');
}

function releasesIn({ versions }: Healed, old: string): string {
  if (new Set(versions).size > 1) return 'each on its own';
  return `all on the ${versions[0] === old ? 'old' : 'new'} release`;
}
