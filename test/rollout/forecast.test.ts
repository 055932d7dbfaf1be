/** What the planner does if nothing goes wrong. */
import { describe, expect, it } from 'vitest';
import { forecast } from '../../src/rollout/forecast.js';
import { type Policy, type Starter, start } from '../../src/rollout/rollout-state.js';
import { aStarter, fleetOf, POLICY, walk } from './walk.js';

const foreseen = (policy: Partial<Policy>, starters: Starter[]) => forecast(start({ ...POLICY, ...policy }, starters));
const shown = ({ batches }: ReturnType<typeof forecast>) =>
  batches.map(({ droplets, serving, floor }) => `${droplets.join(',')}: ${serving}, floor ${floor}`);

describe('a forecast', () => {
  it.each<[string, Partial<Policy>, Starter[]]>([
    ['one by one', {}, fleetOf(4)],
    ['a growing batch', { batch: [1, 2, 'all'], minInRotation: 1 }, fleetOf(7)],
    [
      'droplets that do not serve first',
      { batch: [2] },
      [...fleetOf(3), aStarter(4, { rotation: 'out', healthy: false })],
    ],
    ['with rests', { pauseMs: 1_000, bakeMs: 2_000 }, fleetOf(3)],
    ['without a balancer', { balanced: false }, fleetOf(3).map((one) => ({ ...one, rotation: 'none' as const }))],
    ['some that are done', {}, [aStarter(1, { upToDate: true }), aStarter(2)]],
  ])('has the batches of the rollout: %s', (_, policy, starters) => {
    const { log, fewest } = walk(policy, starters);
    const planned = foreseen(policy, starters);
    expect(planned.batches.map(({ droplets }) => `batch ${droplets.join(',')}`)).toEqual(
      log.filter((line) => line.startsWith('batch')),
    );
    expect(Math.min(...planned.batches.map(({ serving }) => serving))).toBe(fewest);
  });

  it('counts who serves meanwhile', () => {
    expect(shown(foreseen({ batch: [2] }, fleetOf(5)))).toEqual([
      '1,2: 3, floor 3',
      '3,4: 3, floor 3',
      '5: 4, floor 3',
    ]);
    const [batch] = foreseen({ batch: [2] }, [aStarter(1, { healthy: false }), ...fleetOf(5).slice(1)]).batches;
    expect(batch).toMatchObject({ droplets: [1, 2], leaving: [2], serving: 3 });
  });

  it('has pauses and the bake', () => {
    const planned = foreseen({ pauseMs: 60_000, bakeMs: 90_000 }, fleetOf(2));
    expect(planned.batches.map(({ pauseMs }) => pauseMs)).toEqual([60_000, undefined]);
    expect(planned.bakeMs).toBe(90_000);
  });

  it('ends where a canary is held, or the floor lets nobody leave', () => {
    expect(foreseen({ holdAt: 1 }, fleetOf(3))).toMatchObject({ held: true, batches: [{ droplets: [1] }] });
    const sick = [aStarter(1, { healthy: false, exempt: true }), ...fleetOf(3).slice(1)];
    expect(foreseen({}, sick)).toEqual({ batches: [], held: false, stuck: { serving: 2, floor: 2 } });
  });

  it('of a fleet that runs the release already is empty', () => {
    expect(
      foreseen(
        {},
        fleetOf(2).map((one) => ({ ...one, upToDate: true })),
      ),
    ).toEqual({ batches: [], held: false });
  });
});
