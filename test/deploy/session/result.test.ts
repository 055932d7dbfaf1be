/** What a rollout is said to have come to. */
import { describe, expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';
import { resultOf, rowsOf } from '../../../src/deploy/session/result.js';
import type { RolloutState } from '../../../src/rollout/planner.js';
import { aStarter, fleetOf, once, released, walk } from '../../rollout/walk.js';

const RELEASE = { id: 'new', imageTag: 'v2' };

function aSite(id: number, survey: Partial<Member['survey']> = {}): Member {
  const host = { name: `web-${id}`, address: `10.0.0.${id}` };
  return { droplet: { id, name: host.name }, host, survey: { current: 'old', ...survey } } as unknown as Member;
}

function ended(state: RolloutState, members = state.droplets.map(({ id }) => aSite(id))) {
  const rows = rowsOf(state, members, RELEASE as StoredRelease);
  return resultOf({ state, rows, release: RELEASE, environment: 'production', durationMs: 1, evidence: [] });
}

describe('a fleet that was to be taken back', () => {
  const failing = once('3 health', { fail: released('health') });
  const interrupting = once('1 mark-out previous', { interrupt: true as const });
  const { state } = walk(
    { onFailure: 'revert-fleet' },
    fleetOf(4),
    (action) => failing(action) ?? interrupting(action),
  );

  it('says who still runs the release when it had to stop before', () => {
    const { rows, summary, next } = ended(state);
    expect(rows.map(({ outcome, release }) => `${outcome} ${release}`)).toEqual([
      'reverted old',
      'deployed new',
      'reverted old',
      'not deployed old',
    ]);
    expect(summary).toBe('All 4 droplets are in rotation. web-2 still runs the release that failed.');
    expect(next).toBe('do-deploy rollback production');
  });
});

it('of a droplet that an earlier run left half-done the release is told that it was brought to', () => {
  const starters = fleetOf(2).map((starter) => ({ ...starter, inLedger: true, halfDone: starter.id === 1 }));
  const { state } = walk({}, starters, once('1 drain', { interrupt: true as const }));
  const halfDone = { release: 'between', phase: 'switching' as const, run: 'one', since: '' };
  const { rows, next } = ended(state, [aSite(1, { state: halfDone }), aSite(2)]);
  expect(rows.map(({ outcome, release }) => `${outcome} ${release}`)).toEqual([
    'deploy failed between',
    'not deployed old',
  ]);
  expect(next).toBe('do-deploy heal production');
});

describe('the fleet', () => {
  const recorded = { upToDate: true, inLedger: true };
  const failing = () => once('1 settle', { fail: released('settle') });

  it('a droplet in rotation that is still recorded as out is not said to be out', () => {
    const alone = walk({}, [aStarter(1, recorded)], failing());
    expect(ended(alone.state).summary).toBe('The droplet is in rotation, and still recorded as out.');
    const one = walk({}, [aStarter(1, recorded), aStarter(2)], failing());
    expect(ended(one.state)).toMatchObject({
      summary: 'All 2 droplets are in rotation, 1 of them still recorded as out.',
      next: 'do-deploy heal production',
    });
  });
});

it('no deploy fails without a reason', () => {
  const { state } = walk({}, fleetOf(2), undefined, (seen) => ({ ...seen, gone: true }));
  expect(ended(state)).toMatchObject({ outcome: 'failed', error: { code: 'not-everywhere' } });
});
