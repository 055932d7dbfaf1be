import { describe, expect, it } from 'vitest';
import { checkWindow } from '../../../src/deploy/drain/balancer-timing.js';
import { checkDueBy, isBusy, isShareMissing } from '../../../src/deploy/drain/let-go.js';
import { arrivals, recordOf } from '../../support/traffic-readings.js';

const INTERVAL_MS = 10_000;
const WINDOW_MS = checkWindow(INTERVAL_MS, 0);
const CHECKS = { intervalMs: INTERVAL_MS, windowMs: WINDOW_MS, nodes: 1 };

describe('a missing check', () => {
  const checks = arrivals([1_000, 11_200, 21_400]);

  it('is due where the checks go on, once DigitalOcean has shown the leaving', () => {
    const traffic = recordOf(checks, 24_000);
    const dueBy = checkDueBy(traffic, 24_000, CHECKS);
    // The one after 21.4 s, and a moment for the reading that noticed it.
    expect(dueBy).toBeGreaterThanOrEqual(21_400 + WINDOW_MS);
    expect(dueBy).toBeLessThanOrEqual(21_400 + WINDOW_MS + 300);
  });

  it('is the first one that must come after the leaving was shown, not one that was due before', () => {
    const traffic = recordOf(checks, 40_000);
    expect(checkDueBy(traffic, 32_000, CHECKS)).toBeGreaterThan(32_000 + 9_000);
  });

  it('is waited for through a whole window where the time of a check is not known', () => {
    const busy = recordOf((ms) => Math.floor(ms / 100), 24_000);
    expect(checkDueBy(busy, 23_000, CHECKS)).toBe(busy.lastArrivalAt + WINDOW_MS);
    const two = recordOf((ms) => checks(ms) + checks(ms + 4_000), 24_000);
    expect(checkDueBy(two, 24_000, { ...CHECKS, nodes: 2 })).toBe(24_000 + WINDOW_MS);
  });

  it('is waited for anew after each arrival', () => {
    const late = recordOf(arrivals([1_000, 11_200, 21_400, 31_500]), 32_000);
    expect(checkDueBy(late, 24_000, CHECKS)).toBeGreaterThan(31_500 + INTERVAL_MS);
  });

  it('is given the longer, the longer a check takes to be answered', () => {
    expect(checkWindow(INTERVAL_MS, 400)).toBe(WINDOW_MS + 800);
  });
});

describe('a missing share', () => {
  const LEFT_AT = 10_000;
  const steady = (ms: number) => Math.floor(ms / 50);
  /** Nothing more arrives from half a second after it was asked to leave. */
  const gone = (came: (ms: number) => number) => (ms: number) => came(Math.min(ms, LEFT_AT + 500));
  const isMissing = (
    after: number,
    others: ((ms: number) => number)[],
    { own = gone(steady), from = 0, nodes = 1 } = {},
  ) =>
    isShareMissing(
      recordOf(own, LEFT_AT + 500 + after),
      others.map((came) => recordOf(came, LEFT_AT + 500 + after, { from })),
      { leftAt: LEFT_AT, shownAt: LEFT_AT, nodes },
    );

  it('is missed once others have heard so many that some must have been its own', () => {
    expect(isMissing(1_000, [steady])).toBe(false);
    expect(isMissing(2_500, [steady])).toBe(true);
    expect(isMissing(2_500, [steady, steady])).toBe(true);
  });

  it('is not missed where the others pause as well, or nobody is there to compare with', () => {
    expect(isMissing(8_000, [gone(steady)])).toBe(false);
    expect(isMissing(8_000, [])).toBe(false);
  });

  it('must be the larger, the fewer arrived before it left', () => {
    const few = gone((ms: number) => Math.floor(ms / 2_000));
    expect(isMissing(4_000, [steady], { own: few })).toBe(false);
    expect(isMissing(2_000, [steady], { from: 9_500 })).toBe(false);
    expect(isMissing(6_000, [steady], { from: 8_500 })).toBe(true);
  });

  it('must be the larger, the more nodes let go one by one', () => {
    expect(isMissing(2_000, [steady], { nodes: 2 })).toBe(false);
    expect(isMissing(4_000, [steady], { nodes: 2 })).toBe(true);
  });

  it('is looked for only since DigitalOcean has shown the leaving', () => {
    const [own, other] = [recordOf(gone(steady), 14_000), recordOf(steady, 14_000)];
    expect(isShareMissing(own, [other], { leftAt: LEFT_AT, shownAt: LEFT_AT, nodes: 1 })).toBe(true);
    expect(isShareMissing(own, [other], { leftAt: LEFT_AT, shownAt: 13_500, nodes: 1 })).toBe(false);
  });

  it('is by chance as rare as promised', () => {
    // One of two droplets each time, by chance: how often does the other get all the last ones?
    let state = 1;
    const chance = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 4_294_967_296;
    };
    for (let trial = 0; trial < 200; trial += 1) {
      const [own, other]: [number[], number[]] = [[], []];
      for (let at = 0; at < 14_000; at += 20) (chance() < 0.5 ? own : other).push(at);
      const [traffic, beside] = [recordOf(arrivals(own), 14_000), recordOf(arrivals(other), 14_000)];
      expect(isShareMissing(traffic, [beside], { leftAt: LEFT_AT, shownAt: LEFT_AT, nodes: 1 })).toBe(false);
    }
  });
});

describe('a busy droplet', () => {
  it('misses its share sooner than a check', () => {
    const busy = (everyMs: number) =>
      isBusy(
        recordOf((ms) => Math.floor(ms / everyMs), 10_000),
        10_000,
        CHECKS,
      );
    expect([busy(100), busy(500), busy(2_000)]).toEqual([true, true, false]);
  });
});
