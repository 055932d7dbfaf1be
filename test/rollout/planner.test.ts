import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayStillLeave } from '../../src/rollout/planner.js';
import { isDeployed, isHeld, type Observed, type Starter, start } from '../../src/rollout/rollout-state.js';
import { begin } from '../../src/rollout/transitions.js';
import { accident, aStarter, fleetOf, once, POLICY, released, walk } from './walk.js';

const courses = ({ state }: ReturnType<typeof walk>) => state.droplets.map((droplet) => droplet.course);

describe('a rollout without failures', () => {
  it('observes the fleet before each batch, and takes one droplet at a time through every step', () => {
    const { log, state } = walk({}, fleetOf(2));
    const steps = ['mark-out', 'leave', 'drain', 'switch', 'health', 'balancer-check', 'rejoin', 'settle', 'clear'];
    const one = (id: number) => ['observe', `batch ${id}`, ...steps.map((step) => `${id} ${step}`)];
    expect(log).toEqual([...one(1), ...one(2)]);
    expect(state.droplets.map(({ course }) => course)).toEqual(['done', 'done']);
  });

  it('has nothing to do when all droplets are up to date, healthy and in rotation', () => {
    expect(walk({}, [aStarter(1, { upToDate: true }), aStarter(2, { upToDate: true })]).log).toEqual([]);
  });

  it('includes droplets that are up to date but unhealthy, out, or still marked out', () => {
    const starters = [
      aStarter(1, { upToDate: true, healthy: false }),
      aStarter(2, { upToDate: true, rotation: 'out' }),
      aStarter(3, { upToDate: true, inLedger: true }),
      aStarter(4, { upToDate: true }),
      aStarter(5, { upToDate: true }),
    ];
    expect(walk({}, starters).log.filter((entry) => entry.startsWith('batch'))).toEqual([
      'batch 1',
      'batch 2',
      'batch 3',
    ]);
  });

  it('leaves exempt droplets alone, whatever their health, and counts them for the floor', () => {
    const member = { upToDate: true, exempt: true };
    const sick = aStarter(1, { ...member, healthy: false });
    const newcomer = aStarter(4, { healthy: false });
    const adopted = walk({}, [sick, aStarter(2, member), aStarter(3, member), newcomer]);
    expect(adopted.log.filter((entry) => entry.startsWith('batch'))).toEqual(['batch 4']);
    expect(courses(adopted)).toEqual(['done', 'done', 'done', 'done']);
    const astray = walk({ minInRotation: 3 }, [sick, aStarter(2, member), aStarter(3, member), aStarter(4)]);
    expect(astray.log, 'one that serves may not leave while a member is sick').toEqual(['observe']);
    expect(astray.state.stuck).toEqual({ serving: 3, floor: 3 });
  });

  it('is held once as many droplets run the release as a canary was wanted on', () => {
    const batches = ({ log }: ReturnType<typeof walk>) => log.filter((entry) => entry.startsWith('batch'));
    const canary = walk({ batch: [2], holdAt: 3 }, fleetOf(6));
    expect(batches(canary)).toEqual(['batch 1,2', 'batch 3']);
    expect(isHeld(canary.state)).toBe(true);
    const again = walk({ holdAt: 1 }, [aStarter(1, { upToDate: true }), aStarter(2), aStarter(3)]);
    expect(again.log, 'nothing is left to do').toEqual([]);
    expect([isHeld(again.state), again.state.stuck]).toEqual([true, undefined]);
    const failed = walk({ holdAt: 1 }, fleetOf(3), once('1 health', { fail: released('health') }));
    expect(isHeld(failed.state), 'a canary that failed is not held').toBe(false);
    expect(isHeld(walk({ holdAt: 3 }, fleetOf(3)).state), 'of the whole fleet nothing is left').toBe(false);
  });

  it('a canary is watched before it is held, and goes back when a gate fails meanwhile', () => {
    const policy = { holdAt: 2, pauseMs: 1_000, bakeMs: 1_000 };
    const outline = ({ log }: ReturnType<typeof walk>) => log.filter((entry) => /^(batch|wait|bake)/.test(entry));
    const held = walk(policy, fleetOf(4));
    expect(outline(held)).toEqual(['batch 1', 'wait', 'batch 2', 'bake']);
    expect(isHeld(held.state)).toBe(true);
    const gate = walk({ ...policy, onFailure: 'revert-fleet' }, fleetOf(4), once('bake', { watch: 'gate' }));
    expect(gate.state.droplets.map(({ course }) => course)).toEqual(['reverted', 'reverted', 'kept', 'kept']);
    expect(isHeld(gate.state)).toBe(false);
  });

  it('does not mark out a droplet that is marked out already', () => {
    const { log } = walk({}, [aStarter(1, { rotation: 'out', inLedger: true }), aStarter(2), aStarter(3)]);
    expect(log).not.toContain('1 mark-out');
    expect(log).toContain('1 clear');
  });

  it('first confirms, without removing them, droplets in rotation that are only still marked out', () => {
    const recorded = aStarter(2, { upToDate: true, inLedger: true });
    const alone = walk({}, [{ ...recorded, id: 1 }]);
    expect(alone.log).toEqual(['observe', 'batch 1', '1 balancer-check', '1 rejoin', '1 settle', '1 clear']);
    expect(alone.state.droplets[0]).toMatchObject({ course: 'done', touched: false, inLedger: false });
    const { log, fewest } = walk({}, [aStarter(1), recorded, aStarter(3)]);
    expect(log.slice(0, 6)).toEqual(['observe', 'batch 2', '2 balancer-check', '2 rejoin', '2 settle', '2 clear']);
    expect(fewest).toBe(2);
  });

  it('leaves such a droplet in rotation and marked out if it turns out to be unhealthy', () => {
    const recorded = aStarter(1, { upToDate: true, inLedger: true });
    const walked = walk({}, [recorded, aStarter(2)], once('1 settle', { fail: released('settle') }));
    expect(walked.log.at(-1)).toBe('1 settle');
    expect(walked.state.droplets[0]).toMatchObject({ course: 'given-up', rotation: 'in', inLedger: true });
  });

  it('skips leaving and rejoining for a target without a balancer', () => {
    const { log } = walk({ balanced: false, isFleet: false }, [aStarter(1, { rotation: 'none' })]);
    expect(log).toEqual(['observe', 'batch 1', '1 switch', '1 health', '1 settle', '1 clear']);
  });
});

describe('a fleet without a balancer', () => {
  const worker = (id: number, more: Partial<Starter> = {}) => aStarter(id, { rotation: 'none', ...more });
  const workers = { balanced: false };

  it('records each droplet while it changes, and keeps its floor', () => {
    const { log, fewest } = walk(workers, [worker(1), worker(2), worker(3)]);
    expect(log.slice(0, 7)).toEqual([
      ...['observe', 'batch 1', '1 mark-out', '1 switch', '1 health', '1 settle', '1 clear'],
    ]);
    expect(fewest).toBe(2);
  });

  it('starts with those that do not run, and stops where too few do', () => {
    const [ill, ...well] = [worker(1), worker(2, { healthy: false }), worker(3)];
    const { log } = walk(workers, [...well, ill]);
    expect(log[1]).toBe('batch 2');
    const few = walk({ ...workers, minInRotation: 3 }, [worker(1), worker(2), worker(3)]);
    expect(few.log).toEqual(['observe']);
    expect(few.state.stuck).toEqual({ serving: 3, floor: 3 });
  });

  it('removes the mark of a droplet that was not switched, and only then', () => {
    const untouched = walk(
      workers,
      [worker(1), worker(2)],
      once('1 switch', { fail: { ...released('switch'), unchanged: true } }),
    );
    expect(untouched.log.slice(-3)).toEqual(['1 switch', '1 start-stopped same', '1 clear same']);
    expect(untouched.state.droplets[0]).toMatchObject({ course: 'returned', inLedger: false, touched: false });
    const half = worker(1, { inLedger: true, halfDone: true, healthy: false });
    const given = walk(
      workers,
      [half, worker(2)],
      once('1 switch', { fail: { ...released('switch'), unchanged: true } }),
    );
    expect(given.state.droplets[0]).toMatchObject({ course: 'given-up', inLedger: true });
  });

  it('only confirms one that runs the release and is still recorded', () => {
    const { log } = walk(workers, [worker(1, { inLedger: true, upToDate: true }), worker(2, { upToDate: true })]);
    expect(log).toEqual(['observe', 'batch 1', '1 settle', '1 clear']);
  });
});

describe('batches', () => {
  const batches = (walked: ReturnType<typeof walk>) => walked.log.filter((entry) => entry.startsWith('batch'));

  it.each([
    [[2] as const, 5, ['batch 1,2', 'batch 3,4', 'batch 5']],
    [['50%'] as const, 4, ['batch 1,2', 'batch 3,4']],
    [[1, 2] as const, 6, ['batch 1', 'batch 2,3', 'batch 4,5', 'batch 6']],
    // All at once would leave nobody: the floor keeps one back.
    [['all'] as const, 3, ['batch 1,2', 'batch 3']],
  ])('of %j over %i droplets', (batch, size, expected) => {
    expect(batches(walk({ batch: [...batch] }, fleetOf(size)))).toEqual(expected);
  });

  it('start with droplets that do not serve, which raises capacity', () => {
    const starters = [aStarter(1), aStarter(2, { healthy: false }), aStarter(3, { rotation: 'out', inLedger: true })];
    expect(batches(walk({}, starters))).toEqual(['batch 2', 'batch 3', 'batch 1']);
  });

  it('include all droplets when none of them serves', () => {
    const starters = fleetOf(3).map((starter) => ({ ...starter, healthy: false }));
    expect(batches(walk({ batch: ['all'] }, starters))).toEqual(['batch 1,2,3']);
  });
});

describe('the capacity floor', () => {
  it('stops a rollout when a droplet has become unhealthy meanwhile', () => {
    const walked = walk({}, fleetOf(3), undefined, (seen) => (seen.id === 1 ? { ...seen, healthy: false } : seen));
    // Droplet 1 is sick from the first look on: it goes first, and as it stays sick no other may leave.
    expect(courses(walked)).toEqual(['done', 'waiting', 'waiting']);
    expect(walked.state.stuck).toEqual({ serving: 2, floor: 2 });
  });

  it('counts a droplet without an answer as out', () => {
    const walked = walk({}, fleetOf(3), undefined, (seen) =>
      seen.id === 3 ? { ...seen, healthy: false, unasked: true } : seen,
    );
    expect(walked.log).not.toContain('batch 1');
    expect(walked.state.stuck).toBeDefined();
  });

  it('can be broken only with --allow-downtime', () => {
    expect(walk({}, fleetOf(1)).state.stuck).toEqual({ serving: 1, floor: 1 });
    expect(courses(walk({ allowDowntime: true }, fleetOf(1)))).toEqual(['done']);
  });

  it('ignores a droplet that was removed from the fleet', () => {
    const walked = walk({}, fleetOf(3), undefined, (seen) => (seen.id === 3 ? { ...seen, gone: true } : seen));
    expect(courses(walked)).toEqual(['done', 'done', 'waiting']);
    expect(walked.state.droplets[2]).toMatchObject({ gone: true, touched: false });
  });

  it('includes a droplet again once it reappears', () => {
    let looks = 0;
    const walked = walk({}, fleetOf(4), undefined, (seen) => {
      if (seen.id === 1) looks += 1;
      return seen.id === 4 ? { ...seen, gone: looks === 2 } : seen;
    });
    expect(courses(walked)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('is never broken, whatever fails, for any fleet, batch and floor', () => {
    const size = fc.integer({ min: 2, max: 12 });
    const batch = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom('25%' as const, 'all' as const));
    const onFailure = fc.constantFrom('revert-droplet' as const, 'revert-fleet' as const, 'stop' as const);
    fc.assert(
      fc.property(size, batch, onFailure, fc.infiniteStream(fc.nat(40)), (n, one, policy, dice) => {
        const walked = walk({ batch: [one], onFailure: policy }, fleetOf(n), (action) => {
          if (action.kind !== 'step' || dice.next().value !== 0) return undefined;
          return { fail: dice.next().value % 2 === 0 ? released(action.step) : accident(action.step) };
        });
        const wanted = one === 'all' ? n : one === '25%' ? Math.max(1, Math.floor(n / 4)) : Math.min(one, n);
        expect(walked.fewest).toBeGreaterThanOrEqual(Math.max(1, n - wanted));
      }),
      { numRuns: 300 },
    );
  });
});

describe('when a droplet fails', () => {
  it('a droplet whose switch has failed before it changed anything goes back into rotation as it is', () => {
    const unchanged = { ...accident('switch'), unchanged: true };
    const walked = walk({}, fleetOf(3), once('1 switch', { fail: unchanged }));
    expect(walked.log.slice(walked.log.indexOf('1 switch') + 1)).toEqual([
      '1 start-stopped same',
      '1 health same',
      '1 balancer-check same',
      '1 rejoin same',
      '1 settle same',
      '1 clear same',
    ]);
    expect(courses(walked)).toEqual(['returned', 'waiting', 'waiting']);
    expect(walked.state.droplets[0]).toMatchObject({ touched: false, rotation: 'in', inLedger: false });
  });

  it('a droplet that failed before it left has not left: only its mark is cleared', () => {
    const unchanged = { ...accident('leave'), unchanged: true };
    const walked = walk({}, fleetOf(3), once('1 leave', { fail: unchanged }));
    expect(walked.log.slice(walked.log.indexOf('1 leave') + 1)).toEqual(['1 start-stopped same', '1 clear same']);
    expect(courses(walked)).toEqual(['returned', 'waiting', 'waiting']);
  });

  it.each([
    ['revert-droplet', ['reverted', 'done', 'kept', 'kept']],
    ['revert-fleet', ['reverted', 'reverted', 'kept', 'kept']],
    ['stop', ['given-up', 'done', 'kept', 'kept']],
  ] as const)(
    'one that was done and is found sick before the next batch is a failure of the release: %s',
    (onFailure, ends) => {
      let observations = 0;
      const walked = walk({ onFailure }, fleetOf(4), (action) => {
        if (action.kind !== 'observe') return undefined;
        observations += 1;
        return observations === 3 ? { watch: 1 } : undefined;
      });
      expect(courses(walked)).toEqual(ends);
      expect(walked.log.filter((entry) => entry.startsWith('batch'))[2]).toBe('batch 1');
    },
  );

  it('two of a batch that both fail before they leave are both put back', () => {
    const failed = new Set<number>();
    const walked = walk({ batch: [2] }, fleetOf(4), (action) => {
      if (action.kind !== 'step' || action.step !== 'leave' || failed.has(action.droplet)) return undefined;
      failed.add(action.droplet);
      return { fail: { ...accident('leave'), unchanged: true } };
    });
    expect([...failed]).toEqual([1, 2]);
    expect(courses(walked)).toEqual(['returned', 'returned', 'waiting', 'waiting']);
    for (const id of [1, 2]) expect(walked.log).toContain(`${id} start-stopped same`);
    expect(walked.state.droplets.slice(0, 2)).toMatchObject([
      { rotation: 'in', inLedger: false },
      { rotation: 'in', inLedger: false },
    ]);
  });

  it('without a balancer, a droplet that failed before it was changed is as healthy as before', () => {
    const unchanged = { ...accident('switch'), unchanged: true };
    const walked = walk(
      { balanced: false, isFleet: false },
      [aStarter(1, { rotation: 'none' })],
      once('1 switch', { fail: unchanged }),
    );
    expect(walked.state.droplets[0]).toMatchObject({ course: 'returned', touched: false, healthy: true });
  });

  it('goes back to the previous release through the same gates after its evidence, and the rollout stops', () => {
    const walked = walk({}, fleetOf(3), once('2 health', { fail: released('health') }));
    expect(walked.log.slice(walked.log.indexOf('2 health') + 1)).toEqual(
      ['evidence', 'drain', 'switch', 'health', 'balancer-check', 'rejoin', 'settle', 'clear'].map(
        (step) => `2 ${step} previous`,
      ),
    );
    expect(courses(walked)).toEqual(['done', 'reverted', 'waiting']);
  });

  it('leaves again first if it had rejoined', () => {
    const { log } = walk({}, fleetOf(3), once('1 settle', { fail: released('settle') }));
    expect(log).toContain('1 leave previous');
  });

  it('rejoins unchanged if its containers were not changed', () => {
    const walked = walk({}, fleetOf(3), once('1 drain', { fail: accident('drain') }));
    expect(walked.log.slice(-5)).toEqual(
      ['health', 'balancer-check', 'rejoin', 'settle', 'clear'].map((step) => `1 ${step} same`),
    );
    expect(courses(walked)).toEqual(['returned', 'waiting', 'waiting']);
  });

  it('stays out with "stop", and leaves the balancer if it is unhealthy there', () => {
    const walked = walk({ onFailure: 'stop' }, fleetOf(3), once('1 settle', { fail: released('settle') }));
    expect(walked.log.slice(-2)).toEqual(['1 evidence', '1 leave']);
    expect(walked.state.droplets[0]).toMatchObject({ course: 'given-up', rotation: 'out', inLedger: true });
  });

  it('stays out after an external failure, because going back would not help', () => {
    const walked = walk({}, fleetOf(3), once('1 rejoin', { fail: accident('rejoin') }));
    expect(walked.state.droplets[0]).toMatchObject({ course: 'given-up', inLedger: true });
  });

  it('stays in rotation if only clearing its mark fails after it went back', () => {
    const walked = walk({}, fleetOf(3), (action) => {
      if (action.kind !== 'step') return undefined;
      const { droplet, step, towards } = action;
      if (droplet === 1 && step === 'health' && towards === 'new') return { fail: released('health') };
      return droplet === 1 && step === 'clear' ? { fail: accident('clear') } : undefined;
    });
    expect(walked.log.at(-1)).toBe('1 clear previous');
    expect(walked.state.droplets[0]).toMatchObject({ course: 'given-up', rotation: 'in', inLedger: true });
  });

  it('stays out without a previous release', () => {
    const { previous: _, ...first } = aStarter(1);
    expect(
      courses(
        walk({}, [first, aStarter(2), aStarter(3)], once('1 balancer-check', { fail: released('balancer-check') })),
      )[0],
    ).toBe('given-up');
  });

  it('stays out when going back fails too', () => {
    let failures = 0;
    const walked = walk({}, fleetOf(3), (action) => {
      if (action.kind !== 'step' || action.step !== 'health' || failures === 2) return undefined;
      failures += 1;
      return { fail: released('health') };
    });
    expect(walked.state.droplets[0]).toMatchObject({ course: 'given-up', inLedger: true, rotation: 'out' });
  });

  it('takes the whole fleet back with "revert-fleet", and starts no other droplet', () => {
    const walked = walk({ onFailure: 'revert-fleet' }, fleetOf(4), once('3 health', { fail: released('health') }));
    expect(courses(walked)).toEqual(['reverted', 'reverted', 'reverted', 'kept']);
    expect(walked.fewest).toBe(3);
  });

  describe('with "revert-fleet", in the middle of a batch', () => {
    const twoByTwo = { batch: [2], onFailure: 'revert-fleet' as const };

    it('droplets of its batch that finish later go back too', () => {
      const walked = walk(twoByTwo, fleetOf(6), once('3 health', { fail: released('health') }));
      expect(courses(walked)).toEqual(['reverted', 'reverted', 'reverted', 'reverted', 'kept', 'kept']);
      expect(walked.fewest).toBe(4);
    });

    it('the release is reverted also after an earlier failure of another kind', () => {
      const walked = walk(twoByTwo, fleetOf(6), (action) => {
        if (action.kind !== 'step' || action.step !== 'health' || action.towards !== 'new') return undefined;
        if (action.droplet === 3) return { fail: accident('health') };
        return action.droplet === 4 ? { fail: released('health') } : undefined;
      });
      expect(courses(walked)).toEqual(['reverted', 'reverted', 'given-up', 'reverted', 'kept', 'kept']);
    });

    it('a droplet that fails while it rejoins unchanged says nothing about the release', () => {
      const walked = walk(twoByTwo, fleetOf(4), (action) => {
        if (action.kind !== 'step' || action.droplet !== 3) return undefined;
        if (action.step === 'drain') return { fail: accident('drain') };
        return action.towards === 'same' && action.step === 'health' ? { fail: released('health') } : undefined;
      });
      expect(courses(walked)).toEqual(['done', 'done', 'given-up', 'returned']);
    });

    it('an interruption leaves droplets that are not going back as deployed', () => {
      const failing = once('3 health', { fail: released('health') });
      const interrupting = once('1 mark-out previous', { interrupt: true as const });
      const walked = walk({ ...twoByTwo, batch: [1] }, fleetOf(4), (action) => failing(action) ?? interrupting(action));
      expect(courses(walked)).toEqual(['reverted', 'waiting', 'reverted', 'kept']);
      expect(walked.state.droplets.map(isDeployed)).toEqual([false, true, false, false]);
    });
  });

  it('missing evidence changes nothing', () => {
    let step = 0;
    const walked = walk({}, fleetOf(3), (action) => {
      if (action.kind !== 'step') return undefined;
      if (action.step === 'health' && step === 0) {
        step = 1;
        return { fail: released('health') };
      }
      return action.step === 'evidence' ? { fail: accident('evidence') } : undefined;
    });
    expect(courses(walked)[0]).toBe('reverted');
  });

  it('unchanged droplets of its batch rejoin, changed ones continue', () => {
    const walked = walk({ batch: [3] }, fleetOf(6), (action) => {
      if (action.kind !== 'step') return undefined;
      return action.droplet === 2 && action.step === 'drain' ? { fail: accident('drain') } : undefined;
    });
    expect(courses(walked).slice(0, 3)).toEqual(['returned', 'returned', 'returned']);
    expect(courses(walked).slice(3)).toEqual(['waiting', 'waiting', 'waiting']);
  });
});

describe('an interruption', () => {
  it('keeps the mark of a droplet that an earlier run left half-done, also in rotation', () => {
    const halfDone = aStarter(1, { inLedger: true, halfDone: true });
    const walked = walk({}, [halfDone, aStarter(2), aStarter(3)], once('1 drain', { interrupt: true as const }));
    expect(walked.log.at(-1)).toBe('1 drain');
    expect(walked.state.droplets[0]).toMatchObject({ course: 'given-up', rotation: 'out', inLedger: true });
  });

  it('puts an unchanged droplet back and starts no other', () => {
    const walked = walk({}, fleetOf(3), once('1 drain', { interrupt: true as const }));
    expect(courses(walked)).toEqual(['returned', 'waiting', 'waiting']);
    expect(walked.state.droplets[0]).toMatchObject({ rotation: 'in', inLedger: false });
  });

  it('lets a changed droplet finish', () => {
    const walked = walk({}, fleetOf(3), once('1 health', { interrupt: true as const }));
    expect(courses(walked)).toEqual(['done', 'waiting', 'waiting']);
  });
});

it('after a halt nothing more is started, and the droplet stays marked out', () => {
  const walked = walk({}, fleetOf(3), once('1 switch', { halt: 'lease-lost' }));
  expect(walked.log.at(-1)).toBe('1 switch');
  expect(walked.state.droplets[0]).toMatchObject({ inLedger: true, rotation: 'out' });
});

describe('a second look before a droplet leaves', () => {
  const leaving = (overrides: Partial<Starter>) => {
    const chosen = begin(start(POLICY, [aStarter(1, overrides), aStarter(2)]), { kind: 'batch', droplets: [1] });
    return begin(chosen, { kind: 'step', droplet: 1, step: 'leave', towards: 'new' });
  };
  const found = (healthy: boolean): Observed[] => [{ id: 2, rotation: 'in', healthy, inLedger: false, gone: false }];

  it('keeps one that serves while too few others do', () => {
    expect(mayStillLeave(leaving({}), 1, found(false))).toEqual({ serving: 0, floor: 1, may: false });
    expect(mayStillLeave(leaving({}), 1, found(true))).toEqual({ serving: 1, floor: 1, may: true });
  });

  it('lets a sick one leave: that lowers no capacity, and may be the way to repair it', () => {
    expect(mayStillLeave(leaving({ healthy: false }), 1, found(false)).may).toBe(true);
  });
});
