/** The result and the rows of a rollout. */
import { describe, expect, it } from 'vitest';
import type { Member } from '../../../src/deploy/droplet/member.js';
import type { StoredRelease } from '../../../src/deploy/release/stored-release.js';
import { resultOf } from '../../../src/deploy/session/result.js';
import { rowsOf } from '../../../src/deploy/session/rollout-rows.js';
import { releasesSentence } from '../../../src/deploy/session/ways.js';
import type { RolloutState } from '../../../src/rollout/rollout-state.js';
import { aStarter, fleetOf, once, released, walk } from '../../rollout/walk.js';

const RELEASE = { id: 'new', imageTag: 'v2' };

function aMember(id: number, survey: Partial<Member['survey']> = {}): Member {
  const host = { name: `web-${id}`, address: `10.0.0.${id}` };
  return { droplet: { id, name: host.name }, host, survey: { current: 'old', ...survey } } as unknown as Member;
}

function ended(state: RolloutState, members = state.droplets.map(({ id }) => aMember(id))) {
  const rows = rowsOf(state, members, { release: RELEASE as StoredRelease });
  const base = { command: 'deploy' as const, environment: 'production', durationMs: 1, evidence: [] };
  return resultOf({ ...base, state, rows, release: RELEASE });
}

describe('a fleet that should have been reverted', () => {
  const failing = once('3 health', { fail: released('health') });
  const interrupting = once('1 mark-out previous', { interrupt: true as const });
  const { state } = walk(
    { onFailure: 'revert-fleet' },
    fleetOf(4),
    (action) => failing(action) ?? interrupting(action),
  );

  it('names the droplets that still run the release when it had to stop', () => {
    const { rows, summary, next } = ended(state);
    expect(rows.map(({ outcome, release }) => `${outcome} ${release}`)).toEqual([
      'reverted old',
      'deployed new',
      'reverted old',
      'not deployed old',
    ]);
    expect(summary).toBe('All 4 droplets are in rotation. web-2 still runs the release that failed.');
    expect(next).toBe('do-deploy rollback production old');
  });
});

describe('a rollout that rests', () => {
  const RESTS = { pauseMs: 1_000, bakeMs: 1_000 };

  it('is done when it has baked', () => {
    expect(ended(walk(RESTS, fleetOf(2)).state).outcome).toBe('succeeded');
  });

  it('is interrupted where the bake was not waited for, and the same command goes on', () => {
    const { state } = walk(RESTS, fleetOf(2), once('bake', { interrupt: true as const }));
    expect(ended(state)).toMatchObject({
      outcome: 'interrupted',
      error: undefined,
      summary: 'All 2 droplets are in rotation. Every droplet runs the release, but the bake was not waited for.',
      next: 'do-deploy production v2',
    });
  });

  it('names both ways on after an interruption of a pause', () => {
    const { state } = walk(RESTS, fleetOf(2), once('wait', { interrupt: true as const }));
    expect(ended(state)).toMatchObject({
      outcome: 'interrupted',
      ways: { forward: 'do-deploy production v2', back: 'do-deploy rollback production old' },
    });
  });

  it('names the way back from a release that a gate has stopped, where droplets still run it', () => {
    const { state } = walk(RESTS, fleetOf(2), once('bake', { watch: 'gate' as const }));
    expect(ended(state).rows.map(({ outcome }) => outcome)).toEqual(['deployed', 'reverted']);
    expect(ended(state)).toMatchObject({ outcome: 'failed', next: 'do-deploy rollback production old' });
    const first = walk(RESTS, fleetOf(2), once('wait', { watch: 'gate' as const }));
    expect(ended(first.state).next).toBeUndefined();
  });
});

describe('a release that has failed on one droplet', () => {
  const failing = once('2 health', { fail: released('health') });

  it('names the releases of a fleet that is left on two, and the way back by its id', () => {
    const { summary, next } = ended(walk({}, fleetOf(3), failing).state);
    expect(summary).toBe(
      'All 3 droplets are in rotation. The fleet is on 2 releases: web-1 runs new; web-2, web-3 run old. Go back, or correct what has failed and deploy again.',
    );
    expect(next).toBe('do-deploy rollback production old');
  });

  it('has nothing to go back from where it was the first', () => {
    const { summary, next } = ended(walk({}, fleetOf(2), once('1 health', { fail: released('health') })).state);
    expect(summary).toBe('All 2 droplets are in rotation.');
    expect(next).toBeUndefined();
  });

  it('names roles, where each runs one release', () => {
    const rows = [
      { name: 'web-1', role: 'web', release: 'new' },
      { name: 'web-2', role: 'web', release: 'new' },
      { name: 'wk-1', role: 'worker', release: 'old' },
      { name: 'wk-2', role: 'worker', release: 'old' },
    ];
    expect(releasesSentence(rows)).toBe('The fleet is on 2 releases: web runs new; worker runs old.');
    expect(releasesSentence(rows.slice(0, 3).concat({ name: 'wk-2', role: 'worker', release: 'new' }))).toBe(
      'The fleet is on 2 releases: web-1, web-2, wk-2 run new; wk-1 runs old.',
    );
  });
});

it('a droplet that an earlier run left half-done shows the release that it was being switched to', () => {
  const starters = fleetOf(2).map((starter) => ({ ...starter, inLedger: true, halfDone: starter.id === 1 }));
  const { state } = walk({}, starters, once('1 drain', { interrupt: true as const }));
  const halfDone = { release: 'between', phase: 'switching' as const, run: 'one', since: '' };
  const { rows, next } = ended(state, [aMember(1, { state: halfDone }), aMember(2)]);
  expect(rows.map(({ outcome, release }) => `${outcome} ${release}`)).toEqual([
    'deploy failed between',
    'not deployed old',
  ]);
  expect(next).toBe('do-deploy heal production');
});

it('a droplet that was left while its containers started shows that its health is unknown', () => {
  const halting = once('1 switch', { halt: 'aborted' });
  const { state } = walk({}, fleetOf(2), (action) => halting(action));
  const { rows } = ended(state);
  expect(rows.map(({ outcome, health }) => `${outcome} ${health}`)).toEqual([
    'unfinished unknown',
    'not deployed healthy',
  ]);
});

it('after a failure that stops at the only droplet, which is left half-way, heal is next', () => {
  const alone = { balanced: false, isFleet: false, onFailure: 'stop' as const };
  const starter = { rotation: 'none' as const };
  const { state } = walk(alone, [aStarter(1, starter)], once('1 health', { fail: released('health') }));
  expect(ended(state)).toMatchObject({ outcome: 'failed', next: 'do-deploy heal production' });
  const first = { ...starter, previous: undefined };
  const none = walk(alone, [aStarter(1, first as never)], once('1 health', { fail: released('health') }));
  expect(ended(none.state).next, 'there is nothing to heal to').toBeUndefined();
});

describe('the summary', () => {
  const recorded = { upToDate: true, inLedger: true };
  const failing = () => once('1 settle', { fail: released('settle') });

  it('does not count a droplet in rotation as out when it is only recorded as out', () => {
    const alone = walk({}, [aStarter(1, recorded)], failing());
    expect(ended(alone.state).summary).toBe('The droplet is in rotation, but still recorded as out.');
    const one = walk({}, [aStarter(1, recorded), aStarter(2)], failing());
    expect(ended(one.state)).toMatchObject({
      summary: 'All 2 droplets are in rotation, 1 of them still recorded as out.',
      next: 'do-deploy heal production',
    });
  });
});

it('a failed deploy always has an error', () => {
  const { state } = walk({}, fleetOf(2), undefined, (seen) => ({ ...seen, gone: true }));
  expect(ended(state)).toMatchObject({ outcome: 'failed', error: { code: 'not-everywhere' } });
});

it('a stop by the capacity floor names what repairs the droplet, whatever was run', () => {
  const stuck = { serving: 1, floor: 2 };
  const { state } = walk({}, fleetOf(2));
  const droplets = state.droplets.map((one) => ({ ...one, course: 'waiting' as const }));
  expect(ended({ ...state, droplets, stuck }).error).toMatchObject({
    code: 'capacity-floor',
    hint: 'See which droplet is not healthy: do-deploy status production. Repair it: do-deploy heal production. Then run the same command again.',
  });
});
