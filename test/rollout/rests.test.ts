/** Pauses, the bake, and what fails while they last. */
import { describe, expect, it } from 'vitest';
import type { OnFailure } from '../../src/rollout/courses.js';
import { decide } from '../../src/rollout/planner.js';
import { isBaked } from '../../src/rollout/rests.js';
import { isHeld, type Policy, type Starter, start } from '../../src/rollout/rollout-state.js';
import { begin, record } from '../../src/rollout/transitions.js';
import { aStarter, fleetOf, once, POLICY, released, walk } from './walk.js';

const RESTING = { pauseMs: 120_000, bakeMs: 600_000 };

const outline = ({ log }: ReturnType<typeof walk>) => log.filter((entry) => /^(batch|wait|bake)/.test(entry));
const courses = ({ state }: ReturnType<typeof walk>) => state.droplets.map(({ course }) => course);
const backs = ({ log }: ReturnType<typeof walk>) => log.filter((entry) => entry.endsWith('switch previous'));

describe('pauses and the bake', () => {
  it('come between batches, and after the last one', () => {
    const walked = walk(RESTING, fleetOf(3));
    expect(outline(walked)).toEqual(['batch 1', 'wait', 'batch 2', 'wait', 'batch 3', 'bake']);
    expect(isBaked(walked.state)).toBe(true);
  });

  it('come before the look at the fleet that the next batch starts from', () => {
    const { log } = walk(RESTING, fleetOf(2));
    expect(log.slice(log.indexOf('wait'), log.indexOf('batch 2') + 1)).toEqual(['wait', 'observe', 'batch 2']);
  });

  it('are left out where nothing was changed', () => {
    const recorded = aStarter(1, { upToDate: true, inLedger: true });
    expect(outline(walk(RESTING, [recorded, aStarter(2)]))).toEqual(['batch 1', 'batch 2', 'bake']);
    expect(outline(walk(RESTING, [recorded, aStarter(2, { upToDate: true })]))).toEqual(['batch 1']);
  });

  it('are left out after a failure, and while the fleet goes back', () => {
    const failing = once('2 health', { fail: released('health') });
    expect(outline(walk(RESTING, fleetOf(3), failing))).toEqual(['batch 1', 'wait', 'batch 2']);
    const fleet = walk(
      { ...RESTING, onFailure: 'revert-fleet' },
      fleetOf(3),
      once('3 health', { fail: released('health') }),
    );
    expect(outline(fleet).slice(-3)).toEqual(['batch 3', 'batch 1', 'batch 2']);
  });

  it('end at an interruption: no batch starts, and a fleet that was to bake is not baked', () => {
    const paused = walk(RESTING, fleetOf(2), once('wait', { interrupt: true }));
    expect(outline(paused)).toEqual(['batch 1', 'wait']);
    const baking = walk(RESTING, fleetOf(2), once('bake', { interrupt: true }));
    expect(courses(baking)).toEqual(['done', 'done']);
    expect(isBaked(baking.state)).toBe(false);
  });
});

describe('a bake that an earlier run did not finish', () => {
  const ready = (id: number, more: Partial<Starter> = {}) => aStarter(id, { upToDate: true, unbaked: true, ...more });

  it('is made up for, where every droplet runs the release already', () => {
    expect(walk(RESTING, [ready(1), ready(2)]).log).toEqual(['bake']);
    expect(walk({}, [ready(1), ready(2)]).log, 'not without a bake').toEqual([]);
    expect(walk(RESTING, [ready(1, { exempt: true }), ready(2, { exempt: true })]).log, 'nor of others').toEqual([]);
  });

  it('is one for all, where the earlier run has not reached every droplet', () => {
    expect(outline(walk(RESTING, [ready(1), aStarter(2), aStarter(3)]))).toEqual([
      'batch 2',
      'wait',
      'batch 3',
      'bake',
    ]);
  });

  it('of a canary comes before it is held', () => {
    const walked = walk({ ...RESTING, holdAt: 1 }, [ready(1), aStarter(2)]);
    expect(walked.log).toEqual(['bake']);
    expect(isHeld(walked.state)).toBe(true);
  });

  it('takes back a droplet that falls sick, and the fleet under revert-fleet', () => {
    const sick = walk(RESTING, [ready(1), ready(2)], once('bake', { watch: 1 }));
    expect(courses(sick)).toEqual(['reverted', 'done']);
    const fleet = walk(
      { ...RESTING, onFailure: 'revert-fleet' },
      [ready(1), ready(2)],
      once('bake', { watch: 'gate' }),
    );
    expect(courses(fleet)).toEqual(['reverted', 'reverted']);
    expect(fleet.fewest).toBe(1);
  });

  it('has no batch that a gate could take back', () => {
    const walked = walk(RESTING, [ready(1), ready(2)], once('bake', { watch: 'gate' }));
    expect(courses(walked)).toEqual(['done', 'done']);
    expect(walked.state.watchFailed).toBe(true);
  });
});

describe('a droplet that falls sick in a rest', () => {
  it.each(['wait', 'bake'])('goes back, and nothing else starts (%s)', (rest) => {
    const walked = walk(RESTING, fleetOf(3), once(rest, { watch: 1 }));
    expect(backs(walked)).toEqual(['1 switch previous']);
    expect(courses(walked)).toEqual(rest === 'wait' ? ['reverted', 'kept', 'kept'] : ['reverted', 'done', 'done']);
    expect(walked.log).toContain('1 evidence previous');
  });

  /** Droplet `id` is found sick when the run looks at the fleet after the failure. */
  function sickAfter(
    policy: Partial<Policy>,
    starters: Starter[],
    rest: string,
    { fell, found }: Record<'fell' | 'found', number>,
  ) {
    let hasFallen = false;
    const fall = once(rest, { watch: fell });
    return walk(
      { ...RESTING, ...policy },
      starters,
      (action) => {
        const event = fall(action);
        hasFallen ||= event !== undefined;
        return event;
      },
      (seen) => ({ ...seen, healthy: hasFallen ? seen.id !== found : seen.healthy }),
    );
  }

  it('takes the fleet with it under revert-fleet, and goes first', () => {
    const fleet = { onFailure: 'revert-fleet' as const };
    const walked = sickAfter(fleet, fleetOf(3), 'bake', { fell: 2, found: 2 });
    expect(backs(walked), 'the others wait until it serves again').toEqual(['2 switch previous']);
    const flapping = sickAfter(fleet, fleetOf(3), 'bake', { fell: 2, found: 0 });
    expect(backs(flapping)).toHaveLength(3);
    expect(flapping.fewest).toBe(2);
  });

  it.each<[OnFailure, string | undefined]>([
    ['stop', 'old'],
    ['revert-droplet', undefined],
  ])(
    'is marked out and leaves rotation where it cannot go back, if it is still sick then (%s, %s)',
    (onFailure, previous) => {
      const starters = [aStarter(1, { previous }), aStarter(2), aStarter(3)];
      const sick = sickAfter({ onFailure }, starters, 'wait', { fell: 1, found: 1 });
      expect(sick.log.slice(-3)).toEqual(['1 evidence', '1 mark-out', '1 leave']);
      expect(courses(sick)).toEqual(['given-up', 'kept', 'kept']);
      const well = sickAfter({ onFailure }, starters, 'wait', { fell: 1, found: 0 });
      expect(well.log.at(-1)).toBe('1 evidence');
      expect(well.state.droplets[0]).toMatchObject({ course: 'given-up', rotation: 'in' });
    },
  );

  it('stays if it serves again and is needed', () => {
    const walked = sickAfter({}, fleetOf(3), 'wait', { fell: 1, found: 2 });
    expect(backs(walked)).toEqual([]);
    expect(walked.state.stuck).toEqual({ serving: 2, floor: 2 });
  });
});

describe('a gate that fails', () => {
  it('before the droplet in hand has changed: it returns as it is', () => {
    const walked = walk({}, fleetOf(2), once('1 drain', { watch: 'gate' }));
    expect(courses(walked)).toEqual(['returned', 'waiting']);
    expect(backs(walked)).toEqual([]);
  });

  it.each(['1 health', '1 settle', '1 clear'])(
    'brings the droplet in hand back once its step has ended (%s)',
    (step) => {
      const walked = walk({}, fleetOf(2), once(step, { watch: 'gate' }));
      expect(courses(walked)).toEqual(['reverted', 'kept']);
      expect(backs(walked)).toEqual(['1 switch previous']);
      expect(walked.fewest).toBe(1);
    },
  );

  it('does not keep a droplet from going back whose step fails as well', () => {
    let state = start(POLICY, fleetOf(2));
    state = record(state, { kind: 'observed', droplets: state.droplets.map((one) => ({ ...one })) });
    for (let running = ''; running !== 'health'; ) {
      const [action] = decide(state);
      if (action === undefined) throw new Error('nothing to do');
      state = begin(state, action);
      if (action.kind !== 'step') continue;
      running = action.step;
      if (running !== 'health') state = record(state, { kind: 'done', droplet: 1 });
    }
    state = record(state, { kind: 'watch-failed' });
    state = record(state, { kind: 'failed', droplet: 1, failure: released('health') });
    expect(state.droplets[0]?.course).toBe('back');
  });

  it('takes back the batch before, in a pause and in a bake', () => {
    const policy = { ...RESTING, batch: [1, 2] };
    expect(backs(walk(policy, fleetOf(3), once('wait', { watch: 'gate' })))).toEqual(['1 switch previous']);
    const baking = walk(policy, fleetOf(3), once('bake', { watch: 'gate' }));
    expect(backs(baking)).toEqual(['2 switch previous', '3 switch previous']);
    expect(courses(baking)).toEqual(['done', 'reverted', 'reverted']);
  });

  it('takes back every droplet under revert-fleet', () => {
    for (const when of ['wait', 'bake', '2 settle']) {
      const walked = walk({ ...RESTING, onFailure: 'revert-fleet' }, fleetOf(3), once(when, { watch: 'gate' }));
      expect(courses(walked).filter((course) => !['reverted', 'kept'].includes(course))).toEqual([]);
      expect(walked.fewest).toBe(2);
    }
  });

  it('takes nothing back under stop: what is in hand is finished', () => {
    const walked = walk({ onFailure: 'stop' }, fleetOf(3), once('2 health', { watch: 'gate' }));
    expect(courses(walked)).toEqual(['done', 'done', 'waiting']);
  });

  it('before anything has begun lets nothing begin', () => {
    expect(walk({}, fleetOf(2), once('observe', { watch: 'gate' })).log).toEqual(['observe']);
  });
});
