import { describe, expect, it } from 'vitest';
import { type Found, planRepairs } from '../../src/rollout/plan-repairs.js';

const HOLDS = ['r1', 'r2'];

function found(id: number, release: string, overrides: Partial<Found> = {}): Found {
  const state = { release, phase: 'verified' as const, since: release };
  const holding = { holds: HOLDS, current: release, state };
  const whole = { rotation: 'in' as const, inLedger: false, healthy: true, runsItsRelease: true, holding };
  return { id, name: `web-${id}`, ...whole, ...overrides };
}

const halfWay = (id: number, overrides: Partial<Found> = {}): Found => {
  const state = { release: 'r2', phase: 'switching' as const, since: 'r3' };
  const out = { rotation: 'out' as const, inLedger: true, healthy: false, runsItsRelease: false };
  return found(id, 'r1', { ...out, holding: { holds: HOLDS, current: 'r1', state }, ...overrides });
};

const sentences = (fleet: Found[]) => planRepairs(fleet).repairs.map(({ sentence }) => sentence);

describe('a repair', () => {
  it('is planned for none of the droplets that serve, verified, on whichever release', () => {
    const fleet = [found(1, 'r2'), found(2, 'r2'), found(3, 'r1'), found(4, 'r1')];
    expect(planRepairs(fleet)).toEqual({ repairs: [], without: [] });
  });

  it('returns a droplet that is whole to its own release, also where most run another', () => {
    const out = found(3, 'r1', { rotation: 'out', inLedger: true });
    expect(planRepairs([found(1, 'r2'), found(2, 'r2'), out]).repairs).toEqual([
      { id: 3, name: 'web-3', release: 'r1', sentence: 'web-3 is out of rotation: r1 is started again, and rejoins' },
    ]);
  });

  it('gives a half-changed droplet the release that most run', () => {
    expect(sentences([found(1, 'r2'), halfWay(2), found(3, 'r1'), found(4, 'r1')])).toEqual([
      'web-2 stopped half-way to r2 and is out of rotation: it gets r1, and rejoins',
    ]);
    expect(sentences([found(1, 'r2'), found(2, 'r2'), halfWay(3), found(4, 'r1')])).toEqual([
      'web-3 stopped half-way to r2 and is out of rotation: it gets r2, and rejoins',
    ]);
  });

  it('only removes the mark of a droplet that serves', () => {
    expect(sentences([found(1, 'r1', { inLedger: true }), found(2, 'r1')])).toEqual([
      'web-1 is still recorded as out of rotation: it stays on r1, and its mark is removed',
    ]);
  });

  it('starts a droplet in rotation again that does not serve, or runs something else', () => {
    expect(sentences([found(1, 'r1', { healthy: false }), found(2, 'r1', { runsItsRelease: false })])).toEqual([
      'web-1 is not healthy: r1 is started again, out of rotation meanwhile',
      'web-2 does not run what was deployed: r1 is started again, out of rotation meanwhile',
    ]);
  });

  it('is impossible where a droplet holds no release; one that serves something else is left alone', () => {
    const holding = { holds: [] };
    const empty = found(2, 'r1', { holding, runsItsRelease: false, healthy: false });
    const foreign = found(3, 'r1', { holding, runsItsRelease: false });
    expect(planRepairs([found(1, 'r1'), empty, foreign])).toEqual({ repairs: [], without: ['web-2'] });
  });
});
