/** Rollouts of roles: what is said of all of them, and how one that is done goes back. */
import { describe, expect, it } from 'vitest';
import { combined } from '../../src/rollout/roles.js';
import { start } from '../../src/rollout/rollout-state.js';
import { takeBack } from '../../src/rollout/transitions.js';
import { fleetOf, once, POLICY, released, walk, walkOn } from './walk.js';

const done = () => walk({ onFailure: 'revert-fleet' }, fleetOf(3)).state;

describe('a role that is done', () => {
  it('goes back in batches, under the floor, because another one has failed', () => {
    const before = done();
    const { state, log, fewest } = walkOn(takeBack(before));
    expect(log.filter((line) => line.startsWith('batch'))).toEqual(['batch 1', 'batch 2', 'batch 3']);
    expect(log).toContain('1 switch previous');
    expect(state.droplets.map(({ course }) => course)).toEqual(['reverted', 'reverted', 'reverted']);
    expect(fewest).toBe(2);
  });

  it('stays where it has changed nothing, or has nothing to go back to', () => {
    const fresh = fleetOf(2).map(({ previous: _, ...starter }) => starter);
    const first = walk({ onFailure: 'revert-fleet' }, fresh).state;
    const upToDate = start(
      POLICY,
      fleetOf(2).map((starter) => ({ ...starter, upToDate: true })),
    );
    for (const state of [first, upToDate])
      expect(takeBack(state).droplets.map(({ course }) => course)).toEqual(['done', 'done']);
  });
});

describe('the state of all roles', () => {
  it('is that of the only one', () => {
    const state = done();
    expect(combined([state])).toBe(state);
  });

  it('has what has happened to any of them', () => {
    const failing = once('1 health', { fail: released('health') });
    const failed = walk({ onFailure: 'revert-fleet' }, fleetOf(2), failing).state;
    const both = combined([done(), failed]);
    expect(both.droplets).toHaveLength(5);
    expect(both).toMatchObject({ revertingFleet: true, takingBack: true, interrupted: false, watchFailed: false });
    const idle = start(POLICY, fleetOf(1));
    expect(combined([done(), { ...idle, halted: { code: 'lease-lost' } }]).halted).toEqual({ code: 'lease-lost' });
    expect(combined([{ ...idle, interrupted: true }, idle])).toMatchObject({
      interrupted: true,
      revertingFleet: false,
    });
  });
});
